import type { Socket } from 'node:net'
import {
  createDispatcher,
  createKoboldBackend,
  createOpenAIBackend,
  type Outcome,
  type StreamEvent,
} from '@ai-ticket/core'
import { startRawServer } from './ask-kobold.ts'

export const BACKENDS = ['openai', 'kobold'] as const
export type BackendName = (typeof BACKENDS)[number]

/** What the server of a desk sends for a call of its chat endpoint: bytes after which it closes, or what it does. */
export type Reply = string | Buffer | ((socket: Socket) => Promise<void> | void)

/** Events of a stream as OpenAI-compatible servers write them. */
export const part = (delta: object, finish_reason: unknown = null, more: object = {}): string =>
  sse({ choices: [{ index: 0, delta, finish_reason }], ...more })
export const sse = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
export const END = 'data: [DONE]\n\n'

const head = (type: string, more = '') =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}connection: close\r\n\r\n`

/** A whole stream. */
export const streamed = (...events: string[]): string => head('text/event-stream') + events.join('')

/** A stream, each piece as long after the one before as the number in front of it says, in milliseconds. */
export const paced =
  (...pieces: (string | number)[]): Reply =>
  async (socket) => {
    socket.write(head('text/event-stream'))
    for (const piece of pieces) {
      if (typeof piece === 'number') await new Promise((resolve) => setTimeout(resolve, piece))
      else socket.write(piece)
    }
    socket.end()
  }

/** A whole body of any type. */
export const bodied = (body: string | Buffer, type = 'application/json', more = ''): Buffer =>
  Buffer.concat([
    Buffer.from(head(type, `content-length: ${Buffer.byteLength(body)}\r\n${more}`)),
    Buffer.from(body),
  ])

/** A plain answer. */
export const answered = (message: object, finish_reason: unknown = 'stop', more: object = {}): Buffer =>
  bodied(JSON.stringify({ choices: [{ index: 0, message, finish_reason }], ...more }))

/**
 * A desk with one backend, whose server answers calls of its chat endpoint with these bytes. `ask` and `stream` give
 * the outcome, what was handed on, and how often the chat endpoint was called.
 */
export async function rawDesk(kind: BackendName, reply: Reply, options: { tokenTimeoutMs?: number } = {}) {
  let calls = 0
  const server = await startRawServer((socket, request) => {
    const [, path] = request.split(' ')
    if (path === '/v1/chat/completions') {
      calls += 1
      return typeof reply === 'function' ? reply(socket) : socket.end(reply)
    }
    if (path === '/v1/models') return socket.end(bodied('{"data":[{"id":"m"}]}'))
    if (path === '/api/extra/perf') return socket.end(bodied('{"idle":1,"queue":0}'))
    if (path === '/api/extra/abort') return socket.end(bodied('{"success":"true","done":"true"}'))
    if (path === '/api/extra/true_max_context_length') return socket.end(bodied('{"value":512}'))
    return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
  })
  const backend =
    kind === 'openai'
      ? createOpenAIBackend({ url: server.url, ...options })
      : createKoboldBackend({ url: server.url, abortIntervalMs: 20, ...options })
  const dispatcher = createDispatcher({ backends: [backend] })
  const event = { content: 'Hello', parameters: { max_tokens: 512 } }
  return {
    dispatcher,
    calls: () => calls,
    ask: (more: object = {}): Promise<Outcome> => dispatcher.onEvent({ ...event, ...more }),
    async stream(more: object = {}) {
      let text = ''
      let reasoning = ''
      let last: StreamEvent | undefined
      for await (const one of dispatcher.streamEvent({ ...event, ...more })) {
        if (one.type === 'delta') {
          text += one.text
          reasoning += one.reasoning ?? ''
        }
        last = one
      }
      if (last?.type !== 'done' && last?.type !== 'error') throw new Error('the stream has no end')
      return { text, reasoning, outcome: last.outcome as Outcome }
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** What comes of one answer at a backend of this kind: of a stream of these events, or of a plain reply with this message. */
export const asking = (kind: BackendName) => ({
  async streamOf(...events: string[]) {
    await using desk = await rawDesk(kind, streamed(...events))
    return await desk.stream()
  },
  async askFor(message: object, finishReason: unknown = 'stop', more: object = {}) {
    await using desk = await rawDesk(kind, answered(message, finishReason, more))
    return await desk.ask()
  },
})
