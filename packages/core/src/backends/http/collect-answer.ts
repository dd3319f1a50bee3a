import type { Chunk, RawAnswer } from './answer.ts'
import type { WireToolCall } from './completion-wire.ts'

export interface Collector {
  add(chunk: Chunk): void
  /** A finish reason has come. */
  finished(): boolean
  answer(): RawAnswer
}

/** Puts the events of a stream together. */
export function collectAnswer(): Collector {
  let text = ''
  let reasoning = ''
  let last: Chunk = { text: '', rawFinishReason: null }
  const toolCalls: WireToolCall[] = []
  return {
    add(chunk) {
      text += chunk.text
      reasoning += chunk.reasoning ?? ''
      for (const part of chunk.toolCalls ?? []) addToolCall(toolCalls, part)
      last = {
        ...chunk,
        rawFinishReason: chunk.rawFinishReason ?? last.rawFinishReason,
        usage: chunk.usage ?? last.usage,
        model: chunk.model ?? last.model,
      }
    },
    finished: () => last.rawFinishReason !== null,
    answer: () => ({
      text,
      rawFinishReason: last.rawFinishReason,
      usage: last.usage,
      model: last.model,
      ...(reasoning && { reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
    }),
  }
}

/**
 * A call comes in parts: its id and name once, its arguments piece by piece, told apart by the index. Ollama gives
 * every call the index 0 (its issue 15457), so another id is another call.
 */
function addToolCall(calls: WireToolCall[], part: WireToolCall): void {
  const index = part.index ?? calls.length
  const known = calls.findLast((call) => call.index === index)
  if (!known || (part.id && known.id && part.id !== known.id)) {
    calls.push({ ...part, index })
    return
  }
  known.id ||= part.id
  const { name, arguments: more } = part.function ?? {}
  known.function = {
    name: known.function?.name || name,
    arguments: joinArguments(known.function?.arguments, more),
  }
}

type Arguments = NonNullable<WireToolCall['function']>['arguments']

const joinArguments = (before: Arguments, more: Arguments): Arguments =>
  typeof before === 'string' && typeof more === 'string' ? before + more : (more ?? before)
