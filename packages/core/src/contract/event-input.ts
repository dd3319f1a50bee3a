import type { ContextPolicy, OTHER_NAMES, Parameters, TextPart } from './prompt.ts'

/**
 * An event: what `onEvent` and `POST /event` take. Only `content` is required. `null` and `undefined` mean unset.
 *
 * A wrong type or range ends the event as `invalid_input_format`, naming the path. An unknown field is ignored; one that
 * looks like a known one is named in the outcome's `warnings`.
 */
export interface EventInput {
  /**
   * The prompt: a text, `{ prompt }`, `{ messages }`, a list of messages or texts, or any other object, whose JSON is
   * then the prompt. A string that holds JSON is read as that JSON. Missing: `missing_content_field`; without any text of
   * a user: `prompt_extraction_failed`.
   */
  content: ContentInput
  /** Your id, 1 to 256 characters, echoed in the outcome; never used to detect duplicates. Default: `evt_` and a UUID. */
  id?: string | null | undefined
  /** A model, or one of its aliases. Default: any (`default` says the same). An unknown one is `not_found`. */
  model?: string | null | undefined
  /** The name of a configured backend. Default: the best one that is free. An unknown one is `not_found`. */
  backend?: string | null | undefined
  /** Sampling and length. They win over those inside `content`. */
  parameters?: ParametersInput | null | undefined
  /**
   * The JSON Schema of the answer, which the outcome then has as validated `data`. If no answer matches, the event ends
   * as `output_schema_mismatch`. A schema of zod, valibot or arktype is an option instead: `onEvent(event, { schema })`.
   */
  schema?: JsonSchemaInput | null | undefined
  /**
   * How long the event may take in all, waiting included, in milliseconds: 1 to 3,600,000. Default 600,000. Then it ends
   * as `deadline_exceeded`.
   */
  timeout_ms?: number | null | undefined
  /** A whole number from -100 to 100; higher goes first. Default 0. */
  priority?: number | null | undefined
  /** Returned unchanged in the outcome; never sent to a model. */
  metadata?: Readonly<Record<string, unknown>> | null | undefined
  /**
   * What happens to a prompt that does not fit the model's context: `refuse` it as `context_length_exceeded`,
   * `drop_oldest` turns, `cut_left`: the beginning of the text, too, or `off`: send it and let the server cut it. Default: the dispatcher's `contextPolicy`.
   */
  context_policy?: ContextPolicy | null | undefined
}

/** The forms that the `content` of an event may have. */
export type ContentInput =
  | string
  | readonly string[]
  | readonly MessageInput[]
  | readonly ContentPartInput[]
  | PromptContent
  | MessagesContent
  | JsonContent

/** Content with one prompt, and parameters beside it. */
export interface PromptContent extends ParametersInput {
  /** The text of the one user turn. */
  prompt: string
  /** Unset: with messages, they are what is asked. */
  messages?: null | undefined
}

/** Content with a whole conversation, and parameters beside it. */
export interface MessagesContent extends ParametersInput {
  /** The turns, system and assistant included; or strings, one user turn each; or the parts of one user turn. */
  messages: readonly MessageInput[] | readonly string[] | readonly ContentPartInput[]
}

interface NeitherForm {
  readonly prompt?: null | undefined
  readonly messages?: null | undefined
  /** Lists have forms of their own. */
  readonly [Symbol.iterator]?: never
}

/** Any other object: its JSON text is the prompt. */
export type JsonContent = (object & NeitherForm) | (NeitherForm & { readonly [key: string]: unknown })

/** One turn of a conversation. */
export interface MessageInput {
  /** The speaker. `developer` means `system`, and `function` means `tool`. */
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function'
  /** The text of the message. Only an assistant that calls tools may leave it out. */
  content?: string | readonly (string | ContentPartInput)[] | null | undefined
  /** Of the speaker, where there are several of one role; for a tool, of its function. */
  name?: string | undefined
  /** In a turn of a tool: which call it answers. */
  tool_call_id?: string | undefined
  /** The calls that an assistant asked for, in OpenAI's shape. */
  tool_calls?: readonly unknown[] | undefined
}

/** A part of a turn: text or an image. */
export type ContentPartInput = TextPart | ImagePartInput

/** An image that comes with the event. */
export interface ImagePartInput {
  /** Always `image_url`. */
  type: 'image_url'
  /** A `data:image/…` URL, alone or as `url` beside a `detail`. Addresses are refused: they are not fetched. */
  image_url: string | { url: string; detail?: string | undefined }
}

type Unsettable<T> = { [Name in keyof T]?: T[Name] | null | undefined }

type OtherNames = {
  [Name in keyof typeof OTHER_NAMES]?: Parameters[(typeof OTHER_NAMES)[Name]] | null | undefined
}

/**
 * Sampling and length, as an event gives them. Unset options are the desk's (`max_tokens`, `temperature`, `top_p`) or the
 * server's. Names of other servers (`repeat_penalty`, `typical_p` …) are known, too; AI Ticket's own wins.
 */
export interface ParametersInput
  extends Unsettable<
      Omit<Parameters, 'stop' | 'tools' | 'tool_choice' | 'response_format' | 'dry_sequence_breakers'>
    >,
    OtherNames {
  /** OpenAI's newer name of `max_tokens`, which wins. */
  max_completion_tokens?: number | null | undefined
  /** One text, or at most 64, that end the answer before they come. */
  stop?: string | readonly string[] | null | undefined
  /** DRY: texts that end a sequence, at most 64, or their list as JSON. */
  dry_sequence_breakers?: string | readonly string[] | null | undefined
  /** Functions that the model may ask to have called, as in OpenAI's API. AI Ticket never calls them. */
  tools?: readonly (ToolInput | Record<string, unknown>)[] | null | undefined
  /** OpenAI's `json_object` or `json_schema`: the answer is validated as with a `schema` in the event. */
  response_format?: object | null | undefined
  /** `auto`, `none`, `required`, or one function by name. Left out if there are no tools and it says `auto` or `none`. */
  tool_choice?: string | ToolChoiceInput | Record<string, unknown> | null | undefined
}

/** A function that the model may ask to have called. */
export interface ToolInput {
  /** Always `function`. */
  type: 'function'
  /** Its name, what it is for, and the JSON Schema of its arguments. */
  function: { name: string; description?: string | undefined; parameters?: object | undefined }
}

/** The one function that the model must call. */
export interface ToolChoiceInput {
  /** Always `function`. */
  type: 'function'
  /** Which of the `tools`. */
  function: { name: string }
}

/** A JSON Schema. Not a Standard Schema: that goes into the options, as `onEvent(event, { schema })`. */
export type JsonSchemaInput =
  | Readonly<Record<string, unknown>>
  | (object & {
      readonly '~standard'?: never
    })

/**
 * A payload whose shape the compiler does not know: `unknown`, `any`, or an object with any keys. It is checked when it
 * is sent. A payload with known keys has to be an `EventInput`, so that a misspelt field does not compile.
 */
export type RawEvent<Given> = unknown extends Given ? Given : string extends keyof Given ? Given : never
