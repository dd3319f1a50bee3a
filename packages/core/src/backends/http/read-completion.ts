import * as v from 'valibot'
import type { Chunk, RawAnswer } from './answer.ts'
import { chatChunk, chatReply, textReply, type WireMessage } from './completion-wire.ts'

interface Named {
  /** The server's own id of the answer. */
  readonly id?: string | undefined
}

/** A reply of `/v1/chat/completions`. Undefined: the wrong shape, or no choice in it. */
export function readChatReply(reply: unknown): (RawAnswer & Named) | undefined {
  const { success, output } = v.safeParse(chatReply, reply)
  const choice = success ? output.choices[0] : undefined
  if (!success || !choice) return undefined
  return { ...readMessage(choice.message), rawFinishReason: choice.finish_reason, ...readCommon(output) }
}

/** One event of its stream; the last one may hold usage and no choice. */
export function readChatChunk(data: unknown): (Chunk & Named) | undefined {
  const { success, output } = v.safeParse(chatChunk, data)
  if (!success) return undefined
  const choice = output.choices[0]
  return {
    ...readMessage(choice?.delta),
    rawFinishReason: choice?.finish_reason ?? null,
    ...readCommon(output),
  }
}

/** A reply of `/v1/completions`. */
export function readTextReply(reply: unknown): (RawAnswer & Named) | undefined {
  const { success, output } = v.safeParse(textReply, reply)
  return success && output.choices.length > 0 ? readTextChunk(reply) : undefined
}

/** One event of its stream. */
export function readTextChunk(data: unknown): (Chunk & Named) | undefined {
  const { success, output } = v.safeParse(textReply, data)
  if (!success) return undefined
  const choice = output.choices[0]
  return {
    text: choice?.text ?? '',
    rawFinishReason: choice?.finish_reason ?? null,
    ...readCommon(output),
  }
}

function readMessage(message: WireMessage | null | undefined) {
  const { content, refusal, reasoning_content, reasoning, tool_calls } = message ?? {}
  return {
    text: content || refusal || '',
    reasoning: (reasoning_content || reasoning) ?? undefined,
    toolCalls: tool_calls ?? undefined,
  }
}

const readCommon = ({ id, model, usage }: Omit<v.InferOutput<typeof textReply>, 'choices'>) => ({
  id: id ?? undefined,
  model: model ?? undefined,
  usage: usage ?? undefined,
})
