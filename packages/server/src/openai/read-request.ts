import { type Failure, type NamesOfObject, OTHER_NAMES, SAMPLER_NAMES } from '@ai-ticket/core'

type Body = Readonly<Record<string, unknown>>

/** A request in OpenAI's dialect, as the desk understands it. */
interface AskedCompletion {
  /** For the dispatcher, which checks types and ranges. */
  readonly event: Readonly<Record<string, unknown>>
  /** The model's name as the caller wrote it; undefined: any. */
  readonly model: string | undefined
  readonly stream: boolean
  /** A stream ends with a chunk that holds the usage. */
  readonly includeUsage: boolean
  /** Token probabilities were asked for, which the answer does not hold. */
  readonly lacksLogprobs: boolean
  /** Present where the request has a field that nobody reads: it may be a known one, misspelt. */
  readonly madeOf: NamesOfObject | undefined
}

export type ReadCompletion =
  | { readonly ok: true; readonly value: AskedCompletion }
  | { readonly ok: false; readonly failure: Failure }

type ReadContent =
  | { readonly ok: true; readonly content: object }
  | { readonly ok: false; readonly failure: Failure }

/** What goes on to the backend. The last lines are not OpenAI's: local servers and their clients know them. */
export const PARAMETERS = [
  ...['max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'presence_penalty', 'frequency_penalty'],
  ...['stop', 'seed', 'logit_bias', 'tools', 'tool_choice', 'response_format'],
  ...['top_k', 'min_p', 'repetition_penalty', 'grammar'],
  ...['min_tokens', 'parallel_tool_calls', 'chat_template_kwargs'],
  ...SAMPLER_NAMES,
  ...Object.keys(OTHER_NAMES),
]

const PARAMETER_NAMES: ReadonlySet<string> = new Set(PARAMETERS)

interface Option {
  /** Whether this value may be ignored: it asks for nothing that the answer would lack. */
  readonly isHarmless: (value: unknown) => boolean
  readonly instead: string
}

const isOne = (value: unknown) => value === 1
const isFalse = (value: unknown) => value === false
const isEmpty = (value: unknown) => value === '' || (Array.isArray(value) && value.length === 0)
const never = () => false

const ONE_ANSWER = 'must be 1: an event has one answer. Send several requests.'

/**
 * Options that change what the answer is or holds. An answer without them would be the wrong one, so they are refused;
 * whatever stands neither here nor among the parameters is ignored. `logprobs` stands beside the answer: chat programs
 * that show it where it comes do well without.
 */
const OPTIONS: Readonly<Record<string, Option>> = {
  n: { isHarmless: isOne, instead: ONE_ANSWER },
  best_of: { isHarmless: isOne, instead: ONE_ANSWER },
  echo: { isHarmless: isFalse, instead: 'is not supported: put the prompt before the answer yourself.' },
  suffix: { isHarmless: isEmpty, instead: 'is not supported: the desk only continues text.' },
  functions: { isHarmless: isEmpty, instead: 'is deprecated and not supported. Use `tools`.' },
  function_call: { isHarmless: never, instead: 'is deprecated and not supported. Use `tool_choice`.' },
  modalities: {
    isHarmless: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
    instead: 'must be ["text"]: answers are text.',
  },
  audio: { isHarmless: never, instead: 'is not supported: answers are text.' },
  // KoboldCPP's own.
  memory: { isHarmless: isEmpty, instead: 'is not supported: put it at the beginning of the prompt.' },
  images: { isHarmless: isEmpty, instead: 'is not supported: send images as parts of a message.' },
}

/** Every name that is read, or refused by name. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'prompt', 'stream', 'stream_options', 'logprobs'],
  ...PARAMETERS,
  ...Object.keys(OPTIONS),
])

/** A body may have any number of names, and the event keeps them while it waits. */
const MOST_UNKNOWN = 32

/** A body of `POST /v1/chat/completions`. Roles, parts and ranges are the dispatcher's to check. */
export const readChatRequest = (body: unknown): ReadCompletion => readCompletion(body, readMessages)

/** A body of `POST /v1/completions`. */
export const readTextRequest = (body: unknown): ReadCompletion => readCompletion(body, readPrompt)

/** What chats and completions have in common: everything but the text itself. */
function readCompletion(body: unknown, readContent: (body: Body) => ReadContent): ReadCompletion {
  if (!isRecord(body)) return refusal('The body must be a JSON object.')
  const { stream, stream_options, logprobs } = body
  // Clients whose user chose none send an empty name.
  const model = body.model === '' ? undefined : body.model
  if (stream != null && typeof stream !== 'boolean') return refusal('`stream` must be true or false.')
  const unsupported = findUnsupported(body)
  if (unsupported !== undefined) return refusal(unsupported)
  const read = readContent(body)
  if (!read.ok) return read
  return {
    ok: true,
    value: {
      event: { content: read.content, model, parameters: parametersOf(body) },
      model: typeof model === 'string' ? model : undefined,
      stream: stream === true,
      includeUsage: isRecord(stream_options) && stream_options.include_usage === true,
      lacksLogprobs: logprobs != null && logprobs !== false,
      madeOf: namesIn(body, KNOWN),
    },
  }
}

/** What is wrong with the first option that the desk cannot honour; names it. Null means unset. */
export function findUnsupported(body: Body): string | undefined {
  for (const [name, value] of Object.entries(body)) {
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
    if (option && value != null && !option.isHarmless(value)) return `\`${name}\` ${option.instead}`
  }
  return undefined
}

/** For `EventOptions.madeOf`: the names in a request, which knows these. Undefined: it has no other. */
export function namesIn(body: Body, known: ReadonlySet<string>): NamesOfObject | undefined {
  const names = Object.keys(body).filter((name) => body[name] != null)
  // Most requests: they pay for one look.
  if (names.every((name) => known.has(name))) return undefined
  const unknown = names.filter((name) => !known.has(name)).slice(0, MOST_UNKNOWN)
  return { given: [...names.filter((name) => known.has(name)), ...unknown], known }
}

function parametersOf(body: Body): Body {
  const parameters: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    if (value != null && PARAMETER_NAMES.has(name)) parameters[name] = value
  }
  // The newer name wins, as at OpenAI.
  if (parameters.max_completion_tokens !== undefined) delete parameters.max_tokens
  return parameters
}

function readMessages({ messages }: Body): ReadContent {
  if (!Array.isArray(messages) || messages.length === 0) {
    return refusal('`messages` must be a list with at least one message.')
  }
  // An event's list may also hold strings, or the parts of one turn; OpenAI's may not.
  const wrong = messages.findIndex((message) => !isRecord(message) || typeof message.role !== 'string')
  if (wrong !== -1) return refusal(`\`messages[${wrong}]\` must be a message with a role.`)
  return { ok: true, content: { messages } }
}

/** The answer has no place for the call of a tool. */
function readPrompt({ prompt, tools }: Body): ReadContent {
  if (tools != null && !isEmpty(tools)) {
    return refusal('`tools` is not supported by completions. Send a chat to /v1/chat/completions.')
  }
  const text = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt
  return typeof text === 'string'
    ? { ok: true, content: { prompt: text } }
    : refusal(`\`prompt\` ${problemOf(prompt)}`)
}

function problemOf(prompt: unknown): string {
  if (!Array.isArray(prompt)) return 'must be a string.'
  const isList = prompt.length > 1 && prompt.every((one) => typeof one === 'string')
  if (isList) return 'holds several prompts: an event has one. Send several requests.'
  return 'must be a string, or a list with one string; token numbers are not supported.'
}

const refusal = (details: string) =>
  ({ ok: false, failure: { code: 'invalid_input_format', details } }) as const

const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
