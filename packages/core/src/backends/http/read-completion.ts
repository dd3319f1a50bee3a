import * as v from 'valibot'
import type { GenerationEnd, GenerationRequest } from '../../contract/backend.ts'
import type { FinishReason, Usage } from '../../contract/outcome.ts'
import {
  addToolCall,
  chatChunk,
  chatReply,
  textChunk,
  textReply,
  toToolCall,
  type WireMessage,
  type WireToolCall,
} from './completion-wire.ts'
import { createThoughtSplitter, type Piece, splitThoughts } from './split-thoughts.ts'

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
  const choice = output.choices?.[0]
  return {
    ...readMessage(choice?.delta),
    rawFinishReason: choice?.finish_reason ?? null,
    ...readCommon(output),
  }
}

/** A reply of `/v1/completions`. */
export function readTextReply(reply: unknown): (RawAnswer & Named) | undefined {
  const { success, output } = v.safeParse(textReply, reply)
  return success && output.choices.length > 0 ? readText(output) : undefined
}

/** One event of its stream. */
export function readTextChunk(data: unknown): (Chunk & Named) | undefined {
  const { success, output } = v.safeParse(textChunk, data)
  return success ? readText(output) : undefined
}

function readText(output: v.InferOutput<typeof textChunk>): RawAnswer & Named {
  const choice = output.choices?.[0]
  return {
    text: choice?.text ?? '',
    rawFinishReason: choice?.finish_reason ?? null,
    ...readCommon(output),
  }
}

function readMessage(message: WireMessage | null | undefined) {
  const { content, refusal, reasoning_content, reasoning, tool_calls } = message ?? {}
  const parts = typeof content === 'object' && content !== null ? readContent([content].flat()) : undefined
  return {
    text: parts?.text || (typeof content === 'string' && content) || refusal || '',
    reasoning: (reasoning_content || reasoning || parts?.reasoning) ?? undefined,
    toolCalls: tool_calls ?? undefined,
  }
}

/** Content as a list: Mistral's thinking models and some gateways. Parts of other kinds are passed over. */
function readContent(parts: readonly unknown[]): { text: string; reasoning: string } {
  let text = ''
  let reasoning = ''
  for (const part of parts) {
    if (typeof part === 'string') text += part
    if (typeof part !== 'object' || part === null) continue
    const { type, ...fields } = part as Record<string, unknown>
    if (type === 'thinking' || type === 'reasoning') reasoning += textOf(fields[type] ?? fields.text)
    else if (type === 'text' || type === 'output_text') text += textOf(fields.text)
    else if (type === 'refusal') text += textOf(fields.refusal)
  }
  return { text, reasoning }
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : Array.isArray(value) ? readContent(value).text : ''

const readCommon = ({ id, model, usage }: Omit<v.InferOutput<typeof textReply>, 'choices'>) => ({
  id: id ?? undefined,
  model: model ?? undefined,
  usage: usage ?? undefined,
})

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

/** The answer with the thoughts at the beginning of its text in their place, unless its caller reads it as it came. */
export function asAsked<Answer extends RawAnswer>(answer: Answer, { continues }: GenerationRequest): Answer {
  if (continues) return answer
  const { text, reasoning } = splitThoughts(answer.text)
  return reasoning === undefined
    ? answer
    : { ...answer, text, reasoning: (answer.reasoning ?? '') + reasoning }
}

export interface Collector {
  /** Returns what of it can be handed on. */
  add(chunk: Chunk): Piece
  /** What was held back, once nothing more comes. */
  rest(): Piece
  answer(): RawAnswer
}

/** Puts the events of a stream together. */
export function collectAnswer({ continues }: GenerationRequest): Collector {
  let text = ''
  let reasoning = ''
  let last: Chunk = { text: '', rawFinishReason: null }
  const toolCalls: WireToolCall[] = []
  const thoughts = continues ? undefined : createThoughtSplitter()
  const keep = (piece: Piece): Piece => {
    text += piece.text
    reasoning += piece.reasoning ?? ''
    return piece
  }
  return {
    add(chunk) {
      for (const part of chunk.toolCalls ?? []) addToolCall(toolCalls, part)
      last = {
        ...chunk,
        rawFinishReason: chunk.rawFinishReason ?? last.rawFinishReason,
        usage: chunk.usage ?? last.usage,
        model: chunk.model ?? last.model,
      }
      if (!thoughts || thoughts.isText() || chunk.text === '') return keep(chunk)
      const piece = thoughts.push(chunk.text)
      const both = (chunk.reasoning ?? '') + (piece.reasoning ?? '')
      return keep({ text: piece.text, ...(both && { reasoning: both }) })
    },
    rest: () => keep(thoughts?.rest() ?? { text: '' }),
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
