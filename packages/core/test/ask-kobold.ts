import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import {
  type Backend,
  type BackendError,
  createKoboldBackend,
  type GenerationEnd,
  type GenerationEvent,
  type GenerationRequest,
  type KoboldBackendOptions,
  type Parameters,
  type Turn,
} from '@ai-ticket/core'
import { loadExchange, startReplayServer, type VirtualClock } from '@ai-ticket/testkit'

export const user = (content: Turn['content']): Turn => ({ role: 'user', content })

export const system = (content: string): Turn => ({ role: 'system', content })

export interface Asked {
  endpoint?: 'chat' | 'text' | 'native'
  stream?: boolean
  key?: string
  turns?: Turn[]
  parameters?: Parameters
  schema?: Record<string, unknown>
  model?: string
  signal?: AbortSignal
}

export interface Answered {
  events: GenerationEvent[]
  deltas: string[]
  end: GenerationEnd
}

export function requestOf({
  key = 'job-1',
  turns = [user('Tell me about Lily.')],
  ...rest
}: Asked): GenerationRequest {
  const { parameters, schema, model } = rest
  return {
    key,
    turns,
    parameters: { max_tokens: 24, temperature: 0.7, top_p: 1, ...parameters },
    ...(schema && { schema }),
    ...(model && { model }),
  }
}

/** One generation to its end; throws what the backend throws. */
export async function ask(backend: Backend, asked: Asked = {}): Promise<Answered> {
  const { endpoint = 'chat', stream = false, signal = new AbortController().signal } = asked
  const found = backend.endpoints.find(({ name }) => name === endpoint)
  if (!found) throw new Error(`no endpoint ${endpoint}`)
  const events: GenerationEvent[] = []
  for await (const event of backend.generate(found, requestOf(asked), { signal, stream })) events.push(event)
  const deltas = events.filter((event) => event.type === 'delta').map(({ text }) => text)
  return { events, deltas, end: events.at(-1) as GenerationEnd }
}

/** The error of a generation that must fail. */
export async function failureOf(backend: Backend, asked: Asked = {}): Promise<BackendError> {
  const error = await ask(backend, asked).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error === undefined) throw new Error('The generation did not fail.')
  return error as BackendError
}

/** A backend on a server that answers with a recorded exchange. */
export async function replayed(
  version: '1.76' | '1.115.1',
  names: string | string[],
  options: Partial<KoboldBackendOptions> = {},
) {
  const exchanges = [names].flat().map((name) => loadExchange(version, name))
  const server = await startReplayServer(exchanges)
  const backend = createKoboldBackend({ url: server.url, ...options })
  return {
    server,
    backend,
    async [Symbol.asyncDispose]() {
      await backend.close()
      await server.close()
    },
  }
}

export interface RawServer extends AsyncDisposable {
  url: string
  /** What each connection sent, as it came. */
  received: string[]
}

/** A server of raw bytes: `answer` gets each connection once its request is whole. */
export async function startRawServer(answer: (socket: Socket, request: string) => void): Promise<RawServer> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes
      const head = text.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (Buffer.byteLength(text) < head + 4 + length) return
      received.push(text)
      const whole = text
      text = ''
      answer(socket, whole)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface KoboldRequest {
  readonly path: string
  readonly key: string | undefined
  reply(body: string): void
}

/** A small KoboldCPP: `answer` says what happens to each request, all of them are kept. */
export async function startKobold(
  answer: (asked: KoboldRequest) => void,
  options: Partial<KoboldBackendOptions> = {},
) {
  const seen: string[] = []
  const server = createHttpServer(async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    const path = request.url ?? ''
    const key = body === '' ? undefined : JSON.parse(body).genkey
    seen.push(`${path.split('/').at(-1)} ${key ?? '-'}`)
    answer({ path, key, reply: (whole) => response.end(whole) })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const backend = createKoboldBackend({ url: `http://127.0.0.1:${port}`, ...options })
  return {
    backend,
    seen,
    async [Symbol.asyncDispose]() {
      await backend.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Moves a virtual clock on, with real time between for the sockets, until the promise has settled. */
export async function advanceUntil<Value>(clock: VirtualClock, promise: Promise<Value>): Promise<Value> {
  let settled = false
  const end = () => {
    settled = true
  }
  promise.then(end, end)
  while (!settled) {
    // Turns of the event loop, not time: however busy the machine is, a reply on the loopback is read in a few of them.
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    await delay(4)
    await clock.advance(500)
  }
  return promise
}
