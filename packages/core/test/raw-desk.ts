import type { Socket } from 'node:net'
import {
  createDispatcher,
  createKoboldBackend,
  createOpenAIBackend,
  type Dispatcher,
  type Outcome,
  type StreamEvent,
} from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { advanceUntil, startRawServer } from './ask-kobold.ts'

export const BACKENDS = ['openai', 'kobold'] as const
export type BackendName = (typeof BACKENDS)[number]

/** What the server of a desk sends for a call of its chat endpoint: bytes after which it closes, or what it does. */
export type Reply = string | Buffer | ((socket: Socket, pause: Pause) => Promise<void> | void)

/** Resolves after so many milliseconds of the desk's clock. */
export type Pause = (ms: number) => Promise<void>

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
  async (socket, pause) => {
    socket.write(head('text/event-stream'))
    for (const piece of pieces) {
      if (typeof piece === 'number') await pause(piece)
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

export interface RawDeskOptions {
  readonly tokenTimeoutMs?: number
  /** The only one that is there; default: chat. */
  readonly endpoint?: keyof typeof PATHS
  /** For replies with pauses and for limits of time: on a virtual clock, which moves on while a caller waits. */
  readonly isTimed?: boolean
}

const PATHS = {
  chat: ['/v1/chat/completions'],
  text: ['/v1/completions'],
  native: ['/api/v1/generate', '/api/extra/generate/stream'],
}

/**
 * A desk with one backend, whose server answers calls of its one endpoint with these bytes. `ask` and `stream` give the
 * outcome, what was handed on, and how often the endpoint was called.
 */
export async function rawDesk(kind: BackendName, reply: Reply, options: RawDeskOptions = {}) {
  const { endpoint = 'chat', isTimed = false, ...rest } = options
  const clock = isTimed ? createVirtualClock() : undefined
  const inTime = <Value>(asked: Promise<Value>) => (clock ? advanceUntil(clock, asked) : asked)
  const pause: Pause = (ms) =>
    new Promise((resolve) => {
      if (clock) clock.setTimer(resolve, ms)
      else setTimeout(resolve, ms)
    })
  let calls = 0
  const server = await startRawServer((socket, request) => {
    const [, path] = request.split(' ')
    if (path !== undefined && PATHS[endpoint].includes(path)) {
      calls += 1
      return typeof reply === 'function' ? reply(socket, pause) : socket.end(reply)
    }
    if (path === '/v1/models') return socket.end(bodied('{"data":[{"id":"m"}]}'))
    if (path === '/api/extra/perf') return socket.end(bodied('{"idle":1,"queue":0}'))
    if (path === '/api/extra/abort') return socket.end(bodied('{"success":"true","done":"true"}'))
    if (path === '/api/extra/true_max_context_length') return socket.end(bodied('{"value":512}'))
    return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
  })
  const common = { url: server.url, ...(clock && { clock }), ...rest }
  const backend =
    kind === 'openai' ? createOpenAIBackend(common) : createKoboldBackend({ abortIntervalMs: 20, ...common })
  // Repeats come at once.
  const dispatcher = createDispatcher({ backends: [backend], random: () => 0, ...(clock && { clock }) })
  const event = { content: 'Hello', parameters: { max_tokens: 512 } }
  return {
    dispatcher,
    calls: () => calls,
    ask: (more: object = {}): Promise<Outcome> => inTime(dispatcher.onEvent({ ...event, ...more })),
    /** `onDelta` is called for each piece of the answer. */
    stream: (more: object = {}, onDelta = () => {}) =>
      inTime(stream(dispatcher, { ...event, ...more }, onDelta)),
    async [Symbol.asyncDispose]() {
      await inTime(dispatcher.close())
      await server[Symbol.asyncDispose]()
    },
  }
}

async function stream(dispatcher: Dispatcher, event: unknown, onDelta: () => void) {
  let text = ''
  let reasoning = ''
  let last: StreamEvent | undefined
  for await (const one of dispatcher.streamEvent(event)) {
    if (one.type === 'delta') {
      onDelta()
      text += one.text
      reasoning += one.reasoning ?? ''
    }
    last = one
  }
  if (last?.type !== 'done' && last?.type !== 'error') throw new Error('the stream has no end')
  return { text, reasoning, outcome: last.outcome as Outcome }
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
