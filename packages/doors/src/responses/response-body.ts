import {
  type FailureCode,
  inspectEvent,
  type Outcome,
  type SuccessOutcome,
  type ToolCall,
  type Usage,
} from '@ai-ticket/core'
import type { Turn } from './read-input.ts'

type Body = Readonly<Record<string, unknown>>

/** The words of OpenAI's responses; those of tickets, and `incomplete` for an answer that was cut. */
export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'

/** What an event tells of the request that it was made of. Kept in its `metadata`, for the history keeps that. */
export interface ResponseMark {
  /** The first turn was `instructions`: it does not belong to the conversation. */
  readonly instructions?: true
  readonly previous?: string
  /** It is not to be found again. */
  readonly store?: false
}

/** The key of the mark in the metadata of an event. */
export const MARK = 'openai_response'

/** One response, whoever keeps it. Times are milliseconds since 1970. */
export interface ResponseParts {
  /** Behind `resp_`; its items share it. */
  readonly tail: string
  /** The event that was made of the request; null where its content is not kept. */
  readonly event: Body | null
  readonly status: ResponseStatus
  readonly background: boolean
  readonly store: boolean
  readonly createdAt: number
  readonly completedAt?: number
  readonly outcome?: Outcome
}

const responseId = (tail: string): string => `resp_${tail}`

/** The object that all routes and the frames of a stream hold. */
export function responseBody(parts: ResponseParts): Body {
  const { tail, event, status, background, store, createdAt, completedAt, outcome } = parts
  const { instructions, previous } = instructionsOf(event)
  const answered = outcome?.error === undefined ? outcome : undefined
  return {
    id: responseId(tail),
    object: 'response',
    created_at: seconds(createdAt),
    completed_at: completedAt === undefined || status !== 'completed' ? null : seconds(completedAt),
    status,
    background,
    store,
    model: answered?.model ?? event?.model ?? 'default',
    error: status === 'failed' ? errorOf(outcome) : null,
    incomplete_details: status === 'incomplete' ? { reason: reasonOf(answered) } : null,
    instructions,
    previous_response_id: previous,
    output: outcome === undefined ? [] : outputOf(outcome, tail),
    usage: usageOf(answered?.usage),
    ...echoOf(event),
  }
}

/** How an outcome ends a response. */
export function statusOf(outcome: Outcome): ResponseStatus {
  if (outcome.error !== undefined) return outcome.error === 'cancelled' ? 'cancelled' : 'failed'
  const { finish_reason } = outcome
  return finish_reason === 'length' || finish_reason === 'content_filter' ? 'incomplete' : 'completed'
}

const reasonOf = (answered: SuccessOutcome | undefined): string =>
  answered?.finish_reason === 'content_filter' ? 'content_filter' : 'max_output_tokens'

/** What was answered, as items: thoughts, the message, and the calls of tools. Of a failure what there is of the text. */
function outputOf(outcome: Outcome, tail: string): readonly Body[] {
  if (outcome.error !== undefined) {
    return outcome.partial ? [messageItem(tail, outcome.partial, 'incomplete')] : []
  }
  const { completion, reasoning, tool_calls = [] } = outcome
  const isSilent = completion === '' && tool_calls.length > 0
  return [
    ...(reasoning === undefined ? [] : [reasoningItem(tail, reasoning)]),
    ...(isSilent ? [] : [messageItem(tail, completion, statusOf(outcome))]),
    ...tool_calls.map((call, index) => callItem(tail, index, { call, outcome })),
  ]
}

/** Of calls that their limit cut, the last one is not whole. */
export function callItem(
  tail: string,
  index: number,
  { call, outcome }: { readonly call: ToolCall; readonly outcome: Outcome },
): Body {
  const isLast = index + 1 === outcome.tool_calls?.length
  return {
    type: 'function_call',
    id: `fc_${tail}_${index}`,
    call_id: call.id,
    name: call.function.name,
    arguments: call.function.arguments,
    status: isLast ? statusOf(outcome) : 'completed',
  }
}

export const reasoningItem = (tail: string, text: string): Body => ({
  type: 'reasoning',
  id: `rs_${tail}`,
  summary: [],
  content: [{ type: 'reasoning_text', text }],
})

export const messageItem = (tail: string, text: string, status: string): Body => ({
  type: 'message',
  id: `msg_${tail}`,
  role: 'assistant',
  status,
  content: [textPart(text)],
})

export const textPart = (text: string): Body => ({ type: 'output_text', text, annotations: [], logprobs: [] })

/** The turns that a response adds to its conversation. Undefined: it has no answer to go on with. */
export function turnsOf(outcome: Outcome | undefined): readonly Turn[] | undefined {
  if (outcome === undefined || outcome.error !== undefined) return undefined
  const { completion, tool_calls } = outcome
  if (tool_calls === undefined) return [{ role: 'assistant', content: completion }]
  return [
    {
      role: 'assistant',
      content: completion === '' ? null : completion,
      tool_calls: tool_calls.map((call) => ({ ...call })),
    },
  ]
}

/** The words that OpenAI's clients act on; the rest is a fault of the server. */
const ERROR_CODES: Partial<Readonly<Record<FailureCode, string>>> = {
  context_length_exceeded: 'context_length_exceeded',
  prompt_extraction_failed: 'invalid_prompt',
  invalid_input_format: 'invalid_prompt',
  missing_content_field: 'invalid_prompt',
  api_rate_limited: 'rate_limit_exceeded',
  capacity_exceeded: 'rate_limit_exceeded',
}

/** Null: it has not failed. */
export function errorOf(outcome: Outcome | undefined): Body | null {
  if (outcome?.error === undefined) return null
  return { code: ERROR_CODES[outcome.error] ?? 'server_error', message: outcome.details }
}

function usageOf(usage: Usage | null | undefined): Body | null {
  if (!usage) return null
  const { prompt_tokens, completion_tokens } = usage
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: prompt_tokens + completion_tokens,
  }
}

function instructionsOf(event: Body | null) {
  const mark = markOf(event)
  const [first] = mark.instructions ? conversationOf(event) : []
  return {
    instructions: typeof first?.content === 'string' ? first.content : null,
    previous: mark.previous ?? null,
  }
}

/** Where the event was made of a request of this dialect. */
export const markOf = (event: Body | null): ResponseMark => {
  const mark = recordAt(event?.metadata, MARK)
  return {
    ...(mark?.instructions === true ? { instructions: true } : {}),
    ...(typeof mark?.previous === 'string' ? { previous: mark.previous } : {}),
    ...(mark?.store === false ? { store: false } : {}),
  }
}

/** All turns that a backend was sent. Another door's event may have any form that there is. */
export function conversationOf(event: Body | null): readonly Turn[] {
  const messages = recordAt(event, 'content')?.messages
  if (Array.isArray(messages)) return messages
  const inspected = inspectEvent(event, { takesAnyTurn: true })
  const turns: unknown = inspected.ok ? inspected.value.turns : []
  // The desk has them in the words of chat completions, too.
  return turns as readonly Turn[]
}

/** What the request said of how it is to be answered, in this dialect's words. */
function echoOf(event: Body | null): Body {
  const parameters = recordAt(event, 'parameters') ?? {}
  const { max_tokens, temperature, top_p, tool_choice, parallel_tool_calls, reasoning_effort } = parameters
  const { [MARK]: _mark, ...metadata } = recordAt(event, 'metadata') ?? {}
  const tools = Array.isArray(parameters.tools) ? parameters.tools : []
  return {
    metadata,
    max_output_tokens: max_tokens ?? null,
    temperature: temperature ?? null,
    top_p: top_p ?? null,
    tools: tools.map((tool: Body) => ({ type: 'function', ...recordAt(tool, 'function') })),
    tool_choice: flatChoice(tool_choice),
    parallel_tool_calls: parallel_tool_calls ?? true,
    reasoning: { effort: reasoning_effort ?? null, summary: null },
    text: { format: flatFormat(recordAt(parameters, 'response_format')) },
    truncation: event?.context_policy === 'drop_oldest' ? 'auto' : 'disabled',
  }
}

function flatChoice(choice: unknown): unknown {
  if (typeof choice !== 'object' || choice === null) return choice ?? 'auto'
  return { type: 'function', ...recordAt(choice, 'function') }
}

function flatFormat(format: Body | undefined): Body {
  if (format === undefined) return { type: 'text' }
  return { type: format.type, ...recordAt(format, 'json_schema') }
}

const seconds = (ms: number): number => Math.floor(ms / 1_000)

function recordAt(value: unknown, name: string): Body | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Body)[name] : undefined
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Body) : undefined
}
