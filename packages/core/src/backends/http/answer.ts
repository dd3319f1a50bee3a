import type { GenerationEnd } from '../../contract/backend.ts'
import type { FinishReason, ToolCall, Usage } from '../../contract/outcome.ts'
import type { WireToolCall } from './completion-wire.ts'

/** A whole answer as the server gave it, whichever way it came. */
export interface RawAnswer {
  readonly text: string
  readonly rawFinishReason: string | null
  readonly usage?: Usage | undefined
  readonly reasoning?: string | undefined
  readonly toolCalls?: readonly WireToolCall[] | undefined
  readonly model?: string | undefined
}

/** What one event of a stream adds. */
export interface Chunk extends RawAnswer {}

/** The end of a generation in the contract's words. */
export function toEnd(answer: RawAnswer, finishReason: FinishReason): GenerationEnd {
  const { text, rawFinishReason, usage, reasoning, model } = answer
  const tool_calls = answer.toolCalls?.map(toToolCall)
  return {
    type: 'end',
    text,
    finish_reason: finishReason,
    raw_finish_reason: rawFinishReason,
    ...(usage && { usage }),
    ...(tool_calls?.length && { tool_calls }),
    ...(reasoning && { reasoning }),
    ...(model && { model }),
  }
}

function toToolCall({ id, function: called }: WireToolCall, index: number): ToolCall {
  const given = called?.arguments ?? '{}'
  return {
    id: id || `call_${index}`,
    type: 'function',
    function: {
      name: called?.name ?? '',
      arguments: typeof given === 'string' ? given : JSON.stringify(given),
    },
  }
}
