import * as v from 'valibot'
import type { Endpoint, GenerationRequest } from '../../contract/backend.ts'
import type { Usage } from '../../contract/outcome.ts'
import {
  type Chunk,
  type RawAnswer,
  readChatChunk,
  readChatReply,
  readTextChunk,
  readTextReply,
} from '../http/read-completion.ts'
import type { RequestBody } from '../http/request-body.ts'
import { type BodyOptions, chatBody, nativeBody, textBody } from './request-body.ts'
import { nativeChunk, nativeReply } from './wire.ts'

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
  schema: 'grammar',
  seedsByClock: true,
  path: '/v1/chat/completions',
  streamPath: '/v1/chat/completions',
  endMark: true,
  addsStops: true,
  body: chatBody,
  readReply: (reply) => withRealUsage(readChatReply(reply)),
  readChunk: (data) => withRealUsage(readChatChunk(data)),
}

const text: KoboldEndpoint = {
  name: 'text',
  turns: false,
  images: false,
  tools: false,
  schema: 'grammar',
  seedsByClock: true,
  path: '/v1/completions',
  streamPath: '/v1/completions',
  endMark: true,
  addsStops: false,
  body: textBody,
  readReply: (reply) => withRealUsage(readTextReply(reply)),
  readChunk: (data) => withRealUsage(readTextChunk(data)),
}

function withRealUsage(answer: (RawAnswer & { id?: string | undefined }) | undefined): RawAnswer | undefined {
  return answer && { ...answer, usage: realUsage(answer.usage, answer.id) }
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

/** Real counts only: 1.76 says 100, 100 and 200 to everybody, under an id that never changes. */
function realUsage(usage: Usage | undefined, id: string | undefined): Usage | undefined {
  if (!usage) return undefined
  const { prompt_tokens, completion_tokens } = usage
  const constant = prompt_tokens === 100 && completion_tokens === 100 && /^(chatcmpl|cmpl)-A1$/.test(id ?? '')
  return constant ? undefined : usage
}
