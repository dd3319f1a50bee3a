import * as v from 'valibot'
import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import type { EventOptions } from '../contract/dispatcher.ts'
import { failure, type Result, success } from '../contract/failure.ts'
import {
  ANY_OBJECT,
  describeIssue,
  isPlainObject,
  isWithinDepth,
  kindOf,
  MAX_DEPTH,
  plainObject,
  roundFields,
} from '../contract/json-value.ts'
import { MAX_TIMEOUT_MS } from '../contract/options.ts'
import {
  CONTEXT_POLICIES,
  type ContextPolicy,
  type Parameters,
  type Prompt,
  type Turn,
} from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { extractPrompt } from './extract-prompt.ts'
import { ParametersSchema, readParameters } from './parameters.ts'

/** An event, checked. Unset fields are absent. */
export interface TicketEvent {
  content: string | object
  id?: string
  model?: string
  backend?: string
  parameters: Parameters
  /** JSON Schema of the answer. */
  schema?: Record<string, unknown>
  /** How long the event may take in all, in milliseconds. */
  timeout_ms?: number
  /** Higher goes first; from -100 to 100. */
  priority?: number
  metadata?: Record<string, unknown>
  /** What happens to a prompt longer than the context of the model; overrides the desk's own policy. */
  context_policy?: ContextPolicy
}
const MAX_ID_LENGTH = 256

/** Half a surrogate pair cannot be written in UTF-8: a store or a header would give back another name. */
const name = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(MAX_ID_LENGTH),
  v.regex(
    /^(?:[^\uD800-\uDFFF]|[\uD800-\uDBFF][\uDC00-\uDFFF])*$/,
    'has half of a surrogate pair (\\ud800 to \\udfff)',
  ),
)

/** Everything of an event but its `content`, which `extractPrompt` reads. */
export const EventFieldsSchema = v.object({
  id: v.nullish(name),
  model: v.nullish(name),
  backend: v.nullish(name),
  parameters: v.nullish(ParametersSchema),
  schema: v.nullish(plainObject),
  timeout_ms: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_TIMEOUT_MS))),
  priority: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(-100), v.maxValue(100))),
  metadata: v.nullish(plainObject),
  context_policy: v.nullish(v.picklist(CONTEXT_POLICIES)),
})

/** The same where the parameters are read one by one. */
const FieldsSchema = v.object({ ...EventFieldsSchema.entries, parameters: v.nullish(plainObject) })

/** Names that an event may have at its top. */
export const EVENT_FIELDS: ReadonlySet<string> = new Set([
  'content',
  ...Object.keys(EventFieldsSchema.entries),
])
export const PARAMETER_NAMES: ReadonlySet<string> = new Set(Object.keys(ParametersSchema.pipe[1].entries))
/** Names beside a prompt, or messages, in the content. */
export const CONTENT_FIELDS: ReadonlySet<string> = new Set(['prompt', 'messages', ...PARAMETER_NAMES])

/** A text that may hold an object with fields of its own. Longer ones are documents: reading them twice costs time. */
const JSON_TEXT = /^\s*(?:\{|```)/
const LONGEST_JSON_TEXT = 10_000

/** Whether an event may have a field that nobody reads, which may be a known one, misspelt. */
export function hasUnknownField(value: unknown): boolean {
  if (!isPlainObject(value)) return false
  const { content, parameters } = value
  return (
    !hasOnly(value, EVENT_FIELDS) ||
    (isPlainObject(parameters) && !hasOnly(parameters, PARAMETER_NAMES)) ||
    (typeof content === 'string'
      ? content.length <= LONGEST_JSON_TEXT && JSON_TEXT.test(content)
      : isPlainObject(content) && !hasOnly(content, CONTENT_FIELDS))
  )
}

/** For every event: a list of its keys would cost as much again. */
const hasOnly = (value: object, names: ReadonlySet<string>): boolean => {
  for (const name in value) if (!names.has(name)) return false
  return true
}

/**
 * Reads any value as an event. Unknown fields are ignored, null means unset.
 * Failures: `invalid_input_format` (naming the path), `missing_content_field`.
 */
export function parseEvent(value: unknown): Result<TicketEvent> {
  if (!isPlainObject(value)) {
    return invalid(`An event is a JSON object with a \`content\`; this one is ${kindOf(value)}.`)
  }
  const { content } = value
  if (content === undefined || content === null) {
    return failure({
      code: 'missing_content_field',
      details: 'The event has no `content`. Send {"content": "…"} with a string, an object or a list.',
    })
  }
  if (typeof content !== 'string' && !Array.isArray(content) && !isPlainObject(content)) {
    return invalid(`\`content\` must be a string, an object or a list; it is ${kindOf(content)}.`)
  }
  if (isSchemaOfLibrary(value.schema)) {
    return invalid(
      '`schema` must be a JSON Schema; it is a schema of a library such as zod or valibot, which goes into the second argument: onEvent(event, { schema }).',
    )
  }
  if (!isWithinDepth(value, MAX_DEPTH)) return invalid(`The event is nested deeper than ${MAX_DEPTH} levels.`)
  const parsed = v.safeParse(FieldsSchema, roundFields(value), { abortEarly: true, abortPipeEarly: true })
  if (!parsed.success) return invalid(describeIssue(parsed.issues[0]))
  const { parameters: given, ...fields } = parsed.output
  const parameters = given ? readParameters(given, 'parameters') : success({})
  return parameters.ok ? success(toEvent({ content, parameters: parameters.value }, fields)) : parameters
}

/** Of an object, so many names that nobody reads are looked at, and none that is longer: it is nobody's misspelling. */
export const MOST_UNKNOWN_NAMES = 32
export const LONGEST_UNKNOWN_NAME = 40

/** A short text or a number costs nothing to keep. */
const LONGEST_UNKNOWN_TEXT = 100

const isSmall = (value: unknown): boolean =>
  typeof value === 'string' ? value.length <= LONGEST_UNKNOWN_TEXT : typeof value !== 'object'

/**
 * An event without the large values that nobody reads, so that they are not held while it waits; another value as it is.
 * Names stay, with null, for they may be known ones, misspelt. Code that takes events from outside hands on what this returns.
 */
export function withoutUnknownFields(event: unknown): unknown {
  if (!isPlainObject(event) || hasOnly(event, EVENT_FIELDS)) return event
  const names = Object.keys(event)
  const unknown = names.filter((name) => !EVENT_FIELDS.has(name) && name.length <= LONGEST_UNKNOWN_NAME)
  return Object.fromEntries([
    ...names.filter((name) => EVENT_FIELDS.has(name)).map((name) => [name, event[name]]),
    ...unknown.slice(0, MOST_UNKNOWN_NAMES).map((name) => [name, isSmall(event[name]) ? event[name] : null]),
  ])
}

/** A Standard Schema. What `z.toJSONSchema` makes has its mark, too, but is JSON all the same: an object without methods. */
function isSchemaOfLibrary(schema: unknown): boolean {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return false
  if (!('~standard' in schema)) return false
  const isJson =
    Object.getPrototypeOf(schema) === Object.prototype &&
    !Object.values(schema).some((value) => typeof value === 'function')
  return !isJson
}

/** The caller's id of a value that may be no event at all, so that a refusal can echo it. */
export function readEventId(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined
  return v.is(name, value.id) ? value.id : undefined
}

function toEvent(
  event: TicketEvent,
  fields: Omit<v.InferOutput<typeof FieldsSchema>, 'parameters'>,
): TicketEvent {
  for (const [key, value] of Object.entries(fields)) {
    if (value != null) Object.assign(event, { [key]: value })
  }
  return event
}

const invalid = (details: string) => failure({ code: 'invalid_input_format', details })

/** An event with its prompt, and with the schema of its answer where it has one. */
export interface Asked {
  readonly event: TicketEvent
  readonly prompt: Prompt
  readonly answerSchema?: AnswerSchema
}

export function readAsked(value: unknown, { takesAnyTurn = false }: EventOptions = {}): Result<Asked> {
  const event = parseEvent(value)
  if (!event.ok) return event
  const prompt = extractPrompt(event.value.content, event.value.parameters, takesAnyTurn)
  return prompt.ok ? success({ event: event.value, prompt: prompt.value }) : prompt
}

export const hasSchema = ({ event, prompt }: Asked, { schema }: EventOptions): boolean =>
  schema !== undefined || askedSchema(event, prompt) !== undefined

/** What schemas need is loaded at the first event that has one. */
export async function openAnswerSchema(asked: Asked, { schema }: EventOptions): Promise<Result<Asked>> {
  const { openJsonSchema, openStandardSchema } = await import('../answer-schema/open-answer-schema.ts')
  const prompt = withoutFormat(asked.prompt)
  if (schema !== undefined)
    return success({ ...asked, prompt, answerSchema: await openStandardSchema(schema) })
  const jsonSchema = askedSchema(asked.event, asked.prompt)
  if (!jsonSchema)
    return invalid('`response_format.json_schema.schema` must be a JSON Schema; there is none.')
  const answerSchema = await openJsonSchema(jsonSchema)
  return answerSchema.ok ? success({ ...asked, prompt, answerSchema: answerSchema.value }) : answerSchema
}

/** What can be known of an event before it runs. */
export type EventInspection = Readonly<Pick<TicketEvent, 'id' | 'model' | 'backend' | 'metadata'>> & {
  readonly priority: number
  /** The conversation that a backend is sent, whatever form the content has. */
  readonly turns: readonly Turn[]
}

/**
 * Reads an event as `onEvent` with the same options would, without running it: for programs that accept events now and
 * run them later. Failures: `invalid_input_format`, `missing_content_field`, `prompt_extraction_failed`.
 */
export function inspectEvent(
  value: unknown,
  options: Pick<EventOptions, 'takesAnyTurn'> = {},
): Result<EventInspection> {
  const asked = readAsked(value, options)
  if (!asked.ok) return asked
  const { id, model, backend, metadata, priority = 0 } = asked.value.event
  return success({
    priority,
    turns: asked.value.prompt.turns,
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    ...(backend === undefined ? {} : { backend }),
    ...(metadata === undefined ? {} : { metadata }),
  })
}

/** The JSON Schema that an event asks for: its own, or the one in `response_format`. Null: one is missing. */
function askedSchema(event: TicketEvent, prompt: Prompt): JsonSchema | null | undefined {
  return event.schema ?? ofResponseFormat(prompt.parameters)
}

/** llama.cpp and other servers take a schema beside the type, too, of which `json_object` needs none. */
function ofResponseFormat({ response_format }: Parameters): JsonSchema | null | undefined {
  const { type, json_schema, schema } = response_format ?? {}
  if (type === 'json_object') {
    return isPlainObject(schema) && Object.keys(schema).length > 0 ? schema : ANY_OBJECT
  }
  if (type !== 'json_schema') return undefined
  const found = isPlainObject(json_schema) ? json_schema.schema : schema
  return isPlainObject(found) ? found : null
}

/** The prompt of an event whose schema the desk handles: only the desk describes the schema to the backend. */
function withoutFormat(prompt: Prompt): Prompt {
  const { response_format, ...parameters } = prompt.parameters
  return response_format ? { ...prompt, parameters } : prompt
}
