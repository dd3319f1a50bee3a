import type { Failure, NamesOfObject } from '@ai-ticket/core'
import { namesIn } from '@ai-ticket/http-server'
import { type InputItem, readInput } from './read-input.ts'

type Body = Readonly<Record<string, unknown>>

/** A body of `POST /v1/responses`, as the desk understands it. What was stored before is not looked up yet. */
export interface AskedResponse {
  readonly items: readonly InputItem[]
  /** Text of the system turn that goes before everything else. */
  readonly instructions: string | undefined
  /** The response that this one goes on with. */
  readonly previous: string | undefined
  readonly model: unknown
  /** Names of the event's parameters; the dispatcher checks types and ranges. */
  readonly parameters: Body
  readonly metadata: Body
  /** The oldest turns may be left out where the conversation does not fit. */
  readonly mayDropOldest: boolean
  readonly stream: boolean
  readonly background: boolean
  readonly store: boolean
  /** Present where the request has a field that nobody reads: it may be a known one, misspelt. */
  readonly madeOf: NamesOfObject | undefined
}

export type ReadResponseRequest =
  | { readonly ok: true; readonly value: AskedResponse }
  | { readonly ok: false; readonly failure: Failure }

/** Fields that would change what the answer is, and what to do instead. Null and absent mean unset. */
const REFUSED: Readonly<Record<string, string>> = {
  conversation: 'is not supported. Use `previous_response_id`, or send the whole conversation as `input`.',
  prompt: 'is not supported: no prompts are stored here. Send the text as `instructions` and `input`.',
}

const BOOLEANS = ['stream', 'background', 'store', 'parallel_tool_calls']

/** What is read or refused, and what is left out without a word because only OpenAI's own service knows it. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['input', 'instructions', 'previous_response_id', 'model', 'metadata', 'truncation', 'text', 'tools'],
  ...['tool_choice', 'max_output_tokens', 'temperature', 'top_p', 'reasoning', ...BOOLEANS],
  ...Object.keys(REFUSED),
  ...['access_programs', 'client_metadata', 'context_management', 'image', 'include', 'max_tool_calls'],
  ...[
    'moderation',
    'prompt_cache_key',
    'prompt_cache_options',
    'prompt_cache_retention',
    'safety_identifier',
  ],
  ...['service_tier', 'stream_options', 'top_logprobs', 'user'],
])

/** Roles, parts and ranges are the dispatcher's to check; this refuses what has no place in an event. */
export function readResponseRequest(body: unknown): ReadResponseRequest {
  if (!isRecord(body)) return refusal('The body must be a JSON object.')
  const problem = findProblem(body)
  if (problem !== undefined) return refusal(problem)
  const input = readInput(body.input)
  if (!input.ok) return refusal(input.details)
  const tools = toolsOf(body)
  if (!tools.ok) return refusal(tools.details)
  const format = formatOf(body.text)
  return {
    ok: true,
    value: {
      items: input.items,
      instructions: typeof body.instructions === 'string' ? body.instructions : undefined,
      previous: typeof body.previous_response_id === 'string' ? body.previous_response_id : undefined,
      // Clients whose user chose none send an empty name.
      model: body.model === '' ? undefined : body.model,
      parameters: { ...plainParameters(body), ...tools.parameters, ...format },
      metadata: isRecord(body.metadata) ? body.metadata : {},
      mayDropOldest: body.truncation === 'auto',
      stream: body.stream === true,
      background: body.background === true,
      store: body.store !== false,
      madeOf: namesIn(body, KNOWN),
    },
  }
}

/** What is wrong with the first field that cannot be honoured; names it. */
function findProblem(body: Body): string | undefined {
  for (const [name, instead] of Object.entries(REFUSED)) {
    if (body[name] != null) return `\`${name}\` ${instead}`
  }
  for (const name of BOOLEANS) {
    if (body[name] != null && typeof body[name] !== 'boolean') return `\`${name}\` must be true or false.`
  }
  for (const name of ['instructions', 'previous_response_id']) {
    if (body[name] != null && typeof body[name] !== 'string') return `\`${name}\` must be a text.`
  }
  if (body.metadata != null && !isRecord(body.metadata)) return '`metadata` must be an object.'
  if (body.background === true && body.store === false) {
    return '`background` needs `store`: leave `store` out, or send the request without `background`.'
  }
  return undefined
}

/** Those that have another name here, or a place of their own. */
function plainParameters(body: Body): Body {
  const { max_output_tokens, temperature, top_p, parallel_tool_calls, reasoning } = body
  const effort = isRecord(reasoning) ? reasoning.effort : undefined
  return withoutUnset({
    max_tokens: max_output_tokens,
    ...{ temperature, top_p, parallel_tool_calls },
    reasoning_effort: effort,
  })
}

/** `text.format` is flat where chat completions nest it. */
function formatOf(text: unknown): Body {
  const format = isRecord(text) ? text.format : undefined
  if (!isRecord(format) || format.type === 'text' || format.type == null) return {}
  if (format.type !== 'json_schema') return { response_format: format }
  const { type, ...json_schema } = format
  return { response_format: { type, json_schema } }
}

type ReadTools =
  | { readonly ok: true; readonly parameters: Body }
  | { readonly ok: false; readonly details: string }

/**
 * Functions, nested as chat completions know them. Tools that the service would run itself (web search, MCP and so on)
 * are left out: clients such as Codex offer them unasked, and do without.
 */
function toolsOf({ tools, tool_choice: choice }: Body): ReadTools {
  if (tools != null && !Array.isArray(tools)) return { ok: false, details: '`tools` must be a list.' }
  const functions: Body[] = []
  for (const [index, tool] of (tools ?? []).entries()) {
    if (!isRecord(tool)) return { ok: false, details: `\`tools[${index}]\` must be an object.` }
    if (tool.type !== 'function') continue
    // Some clients nest them, as chat completions do.
    const { type: _type, ...flat } = tool
    const called = isRecord(tool.function) ? tool.function : flat
    if (typeof called.name !== 'string') {
      return { ok: false, details: `\`tools[${index}].name\` must be a text.` }
    }
    functions.push({ type: 'function', function: withoutUnset(called) })
  }
  if (functions.length === 0) return { ok: true, parameters: {} }
  const chosen = chooseTools(choice, functions)
  return { ok: true, parameters: withoutUnset({ tools: chosen.tools, tool_choice: chosen.choice }) }
}

interface ChosenTools {
  readonly tools: readonly Body[]
  readonly choice: unknown
}

function chooseTools(choice: unknown, tools: readonly Body[]): ChosenTools {
  if (!isRecord(choice)) return { tools, choice }
  if (choice.type === 'function') {
    const { name } = isRecord(choice.function) ? choice.function : choice
    return { tools, choice: { type: 'function', function: { name } } }
  }
  if (choice.type === 'allowed_tools' && Array.isArray(choice.tools)) {
    const names = new Set(choice.tools.map((tool: unknown) => (isRecord(tool) ? tool.name : undefined)))
    const allowed = tools.filter((tool) => names.has((tool.function as Body).name))
    return { tools: allowed, choice: choice.mode ?? 'auto' }
  }
  // A tool of the service was asked for, which is not there.
  return { tools, choice: 'auto' }
}

const withoutUnset = (fields: Body): Body =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null))

const refusal = (details: string) =>
  ({ ok: false, failure: { code: 'invalid_input_format', details } }) as const

const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
