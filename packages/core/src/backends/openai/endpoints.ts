import type { Endpoint, GenerationRequest } from '../../contract/backend.ts'
import type { Chunk, RawAnswer } from '../http/read-completion.ts'
import { readChatChunk, readChatReply, readTextChunk, readTextReply } from '../http/read-completion.ts'
import type { RequestBody } from '../http/request-body.ts'
import { type BodyOptions, chatBody, textBody } from './request-body.ts'

export interface OpenAIEndpoint extends Endpoint {
  /** Under the API's root. */
  readonly path: string
  body(request: GenerationRequest, options: BodyOptions): RequestBody
  /** Undefined: the wrong shape, or no choice in it. */
  readReply(reply: unknown): RawAnswer | undefined
  readChunk(data: unknown): Chunk | undefined
}

const chat: OpenAIEndpoint = {
  name: 'chat',
  turns: true,
  images: true,
  tools: true,
  schema: 'json_schema',
  path: '/chat/completions',
  body: chatBody,
  readReply: readChatReply,
  readChunk: readChatChunk,
}

const text: OpenAIEndpoint = {
  name: 'text',
  turns: false,
  images: false,
  tools: false,
  schema: false,
  path: '/completions',
  body: textBody,
  readReply: readTextReply,
  readChunk: readTextChunk,
}

/** In order of preference. */
export const openAIEndpoints: readonly OpenAIEndpoint[] = [chat, text]
