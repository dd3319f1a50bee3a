import type { FailureCode } from '@ai-ticket/core'
import type { FastifyPluginCallback } from 'fastify'
import { expect } from 'vitest'
import { anthropicDoor, koboldDoor, responsesDoor } from '../src/index.ts'

/** One way of asking for an event, and how it tells failures. A door adds its column here. */
export interface FailureColumn {
  readonly door?: FastifyPluginCallback
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** A request for a stream has these, too. */
  readonly streamHeaders?: Readonly<Record<string, string>>
  readonly streamPath?: string
  /** The body of a request with this text. */
  body(text: string, stream: boolean): object
  /** Where the status differs from that of `/event`. */
  readonly statuses: Partial<Readonly<Record<FailureCode, number>>>
  /** What a failure before the head has as its body. */
  failure(code: FailureCode, status: number): object
  /** What the last frame of a stream is that fails behind its head. */
  lastFrame(code: FailureCode): RegExp
  /** Whether the connection breaks behind that frame. False: it ends. */
  readonly breaksOff: boolean
  /** Whether `x-should-retry` is told. */
  readonly saysShouldRetry: boolean
}

const OF_REQUEST = [
  ...(['invalid_request', 'invalid_input_format', 'missing_content_field'] as const),
  ...(['prompt_extraction_failed', 'context_length_exceeded'] as const),
]

const OF_BACKENDS = [
  ...([
    'api_client_error',
    'api_authentication_error',
    'api_server_error',
    'api_response_format_error',
  ] as const),
  ...(['api_response_structure_error', 'api_stream_interrupted', 'output_schema_mismatch'] as const),
]

const all = (codes: readonly FailureCode[], status: number): Partial<Record<FailureCode, number>> =>
  Object.fromEntries(codes.map((code) => [code, status]))

function koboldType(status: number): string {
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 503) return 'service_unavailable'
  return status >= 500 ? 'server_error' : 'bad_input'
}

/** Before the head, all addresses of OpenAI fail alike. */
const OPENAI: Pick<FailureColumn, 'statuses' | 'failure' | 'saysShouldRetry'> = {
  statuses: {
    ...{ prompt_extraction_failed: 400, context_length_exceeded: 400 },
    ...{ output_schema_mismatch: 422, api_client_error: 400 },
  },
  failure: (code) => ({
    error: {
      message: expect.any(String),
      type: expect.any(String),
      param: code === 'not_found' ? 'model' : null,
      code: expect.any(String),
    },
  }),
  saysShouldRetry: true,
}

export const COLUMNS: Readonly<Record<string, FailureColumn>> = {
  own: {
    path: '/event',
    streamHeaders: { accept: 'text/event-stream' },
    body: (content) => ({ content }),
    statuses: {},
    failure: (error) => ({ error, details: expect.any(String) }),
    lastFrame: (code) => new RegExp(`^event: error\\ndata: \\{"error":"${code}","details":.*\\}$`),
    breaksOff: true,
    saysShouldRetry: false,
  },
  openai: {
    path: '/v1/chat/completions',
    body: (content, stream) => ({ messages: [{ role: 'user', content }], stream }),
    ...OPENAI,
    lastFrame: () => /^data: \{"error":\{"message":.*\}\}$/,
    breaksOff: true,
  },
  responses: {
    door: responsesDoor,
    path: '/v1/responses',
    body: (input, stream) => ({ input, stream }),
    ...OPENAI,
    lastFrame: (code) => {
      const status = code === 'cancelled' ? code : 'failed'
      return new RegExp(
        `^event: response\\.failed\\ndata: \\{"type":"response\\.failed",.*"status":"${status}",.*"error":\\{"code":"`,
      )
    },
    breaksOff: false,
  },
  anthropic: {
    door: anthropicDoor,
    path: '/v1/messages',
    body: (content, stream) => ({ messages: [{ role: 'user', content }], max_tokens: 10, stream }),
    statuses: {
      ...all(OF_REQUEST, 400),
      ...all(OF_BACKENDS, 500),
      ...{ output_schema_mismatch: 422, api_client_error: 400, capacity_exceeded: 529 },
    },
    failure: (_code, status) => ({
      type: 'error',
      error: {
        type: expect.stringMatching(status === 529 ? 'overloaded_error' : /^\w+$/),
        message: expect.any(String),
      },
      request_id: expect.any(String),
    }),
    lastFrame: () => /^event: error\ndata: \{"type":"error","error":\{"type":.*\}$/,
    breaksOff: true,
    saysShouldRetry: true,
  },
  kobold: {
    door: koboldDoor,
    path: '/api/v1/generate',
    streamPath: '/api/extra/generate/stream',
    body: (prompt) => ({ prompt }),
    statuses: { ...all(OF_REQUEST, 422), ...all(OF_BACKENDS, 500), rate_limited: 503 },
    failure: (_code, status) => ({
      detail: {
        ...(status === 401 ? { error: 'Unauthorized' } : {}),
        msg: expect.any(String),
        type: koboldType(status),
      },
    }),
    lastFrame: (code) => new RegExp(`^: ${code}$`),
    breaksOff: true,
    saysShouldRetry: true,
  },
}
