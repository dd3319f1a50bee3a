import * as v from 'valibot'
import type { Endpoint, GenerationRequest } from '../backend.ts'
import { type RawAnswer, realUsage } from './answer.ts'
import { type BodyOptions, chatBody, nativeBody, type RequestBody, textBody } from './request-body.ts'
import type { WireToolCall } from './wire.ts'
import { chatChunk, chatReply, nativeChunk, nativeReply, textReply } from './wire.ts'

/** What one event of a stream adds. */
export interface Chunk {
  readonly text: string
  readonly reasoning?: string | undefined
  readonly toolCalls?: readonly WireToolCall[] | undefined
  readonly rawFinishReason: string | null
  readonly usage?: RawAnswer['usage']
  readonly model?: string | undefined
}

export interface KoboldEndpoint extends Endpoint {
  readonly path: string
  readonly streamPath: string
  /** Its streams end at `[DONE]`; a native stream ends at its finish reason. */
  readonly endMark: boolean
  /** It adds stop strings of its own, so that "length" may mean one of them. */
  readonly addsStops: boolean
  body(request: GenerationRequest, options: BodyOptions): RequestBody
  /** Undefined: the wrong shape, or no choice in it. */
  readReply(reply: unknown): RawAnswer | undefined
  readChunk(data: unknown): Chunk | undefined
}

const chat: KoboldEndpoint = {
  name: 'chat',
  turns: true,
  images: true,
  tools: true,
  schema: true,
  path: '/v1/chat/completions',
  streamPath: '/v1/chat/completions',
  endMark: true,
  addsStops: true,
  body: chatBody,
  readReply(reply) {
    const { success, output } = v.safeParse(chatReply, reply)
    const choice = success ? output.choices[0] : undefined
    if (!success || !choice) return undefined
    const { content, reasoning_content, tool_calls } = choice.message
    return {
      text: content ?? '',
      reasoning: reasoning_content ?? undefined,
      toolCalls: tool_calls ?? undefined,
      rawFinishReason: choice.finish_reason,
      usage: realUsage(output.usage, output.id),
      model: output.model ?? undefined,
    }
  },
  readChunk(data) {
    const { success, output } = v.safeParse(chatChunk, data)
    if (!success) return undefined
    const choice = output.choices[0]
    return {
      text: choice?.delta?.content ?? '',
      reasoning: choice?.delta?.reasoning_content ?? undefined,
      toolCalls: choice?.delta?.tool_calls ?? undefined,
      rawFinishReason: choice?.finish_reason ?? null,
      usage: realUsage(output.usage, output.id),
      model: output.model ?? undefined,
    }
  },
}

const text: KoboldEndpoint = {
  name: 'text',
  turns: false,
  images: false,
  tools: false,
  schema: false,
  path: '/v1/completions',
  streamPath: '/v1/completions',
  endMark: true,
  addsStops: false,
  body: textBody,
  readReply(reply) {
    const chunk = readTextChunk(reply)
    return chunk?.found ? chunk : undefined
  },
  readChunk: readTextChunk,
}

function readTextChunk(data: unknown): (Chunk & { found: boolean }) | undefined {
  const { success, output } = v.safeParse(textReply, data)
  if (!success) return undefined
  const choice = output.choices[0]
  return {
    found: choice !== undefined,
    text: choice?.text ?? '',
    rawFinishReason: choice?.finish_reason ?? null,
    usage: realUsage(output.usage, output.id),
    model: output.model ?? undefined,
  }
}

const native: KoboldEndpoint = {
  ...text,
  name: 'native',
  path: '/api/v1/generate',
  streamPath: '/api/extra/generate/stream',
  endMark: false,
  body: nativeBody,
  readReply(reply) {
    const { success, output } = v.safeParse(nativeReply, reply)
    const result = success ? output.results[0] : undefined
    if (!result) return undefined
    const { prompt_tokens, completion_tokens } = result
    const counted = typeof prompt_tokens === 'number' && typeof completion_tokens === 'number'
    return {
      text: result.text,
      rawFinishReason: result.finish_reason,
      usage: counted ? { prompt_tokens, completion_tokens } : undefined,
    }
  },
  readChunk(data) {
    const { success, output } = v.safeParse(nativeChunk, data)
    return success ? { text: output.token, rawFinishReason: output.finish_reason } : undefined
  },
}

/** In order of preference. */
export const koboldEndpoints: readonly KoboldEndpoint[] = [chat, text, native]
