import type { FinishReason, SuccessOutcome, ToolCall, Usage } from '@ai-ticket/core'

/** What the answer to one request is made of, beside the outcome. */
export interface MessageContext {
  /** As the caller wrote it. */
  readonly model: string | undefined
  readonly showsThinking: boolean
}

/** The id of the event, in Anthropic's words, so that an answer leads to its lines in the log. */
export const messageId = (eventId: string): string => `msg_${eventId.replace(/^evt_/, '')}`

/** A whole answer. */
export function messageBody(outcome: SuccessOutcome, { model, showsThinking }: MessageContext): object {
  const { completion, reasoning } = outcome
  const calls = callsOf(outcome)
  const thinking =
    showsThinking && reasoning ? [{ type: 'thinking', thinking: reasoning, signature: '' }] : []
  const hasText = completion !== '' || calls.length === 0
  return {
    id: messageId(outcome.id),
    type: 'message',
    role: 'assistant',
    model: outcome.model ?? model ?? 'default',
    content: [
      ...thinking,
      ...(hasText ? [{ type: 'text', text: completion, citations: null }] : []),
      ...calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input })),
    ],
    ...endOf(outcome),
    usage: usageOf(outcome.usage),
  }
}

const REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
}

/** Which stop sequence ended an answer is not known: backends do not say. */
export const endOf = ({ finish_reason }: SuccessOutcome) => ({
  stop_reason: REASONS[finish_reason],
  stop_sequence: null,
})

/** The numbers are required: 0 where the server does not know. */
export const usageOf = (usage: Usage | null) => ({
  input_tokens: usage?.prompt_tokens ?? 0,
  output_tokens: usage?.completion_tokens ?? 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
})

interface ToolUse {
  readonly id: string
  readonly name: string
  readonly input: object
  /** The same as JSON text, with the digits that the model wrote. */
  readonly json: string
}

/** The calls of an answer. One that was cut off is none: its arguments end in the middle. */
export function callsOf({ tool_calls = [], finish_reason }: SuccessOutcome): ToolUse[] {
  return tool_calls.flatMap((call) => {
    const json = argumentsOf(call)
    if (json === undefined && finish_reason !== 'tool_calls') return []
    return [toolUse(call, json ?? JSON.stringify({ arguments: call.function.arguments }))]
  })
}

const toolUse = ({ id, function: { name } }: ToolCall, json: string): ToolUse => ({
  id,
  name,
  input: JSON.parse(json),
  json,
})

/**
 * Undefined where the model wrote no JSON object. Then its words are one argument named `arguments`, which the client's
 * check of its tool refuses, and tells the model so.
 */
function argumentsOf({ function: { arguments: text } }: ToolCall): string | undefined {
  if (text.trim() === '') return '{}'
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? text : undefined
  } catch {
    return undefined
  }
}
