import { createServer, type Socket } from 'node:net'
import type { KoboldVersion } from '../kobold/contract/simulator-options.ts'
import { type HttpRequest, readHttp } from '../wire/http-reader.ts'
import {
  listExchanges,
  loadExchange,
  type RecordedExchange,
  type RecordedHttpResponse,
} from './load-fixture.ts'

/** A request as the replay server got it. */
export interface ReplayedRequest {
  /** Of HTTP. */
  readonly method: string
  /** As it was sent. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Empty: there was none. */
  readonly bodyText: string
  /** The parsed JSON body; undefined if it was not JSON. */
  readonly body: unknown
  /** The name of the exchange it was answered with; undefined: none matched, and it got a 404. */
  readonly exchange: string | undefined
}

/** For `startReplayServer`. */
export interface ReplayServerOptions {
  /** Answers to what the given exchanges do not cover. Default: idle perf, abort, check, version, models and so on of the same version. */
  readonly fallbacks?: readonly RecordedExchange[]
  /** Recorded times are multiplied with this. Default 0: pieces follow each other at once, but in separate writes. */
  readonly timeScale?: number
}

/** A server that gives recorded replies. */
export interface ReplayServer extends AsyncDisposable {
  /** Base address without a slash at the end. */
  readonly url: string
  /** Where it listens. */
  readonly port: number
  /** Every request, in order of arrival. */
  readonly requests: readonly ReplayedRequest[]
  /** Ends it and cuts its connections. May be called twice. */
  close(): Promise<void>
}

const fallbackNames = [
  'get-extra-perf-idle',
  'abort-idle',
  'check-post-idle',
  'get-extra-version',
  'get-model',
  'get-models',
  'get-true-max-context-length',
  'tokencount',
]

/**
 * A server on a free loopback port that answers with recorded bytes: the same header lines, the same pieces,
 * the same end of the connection (a hang stays a hang, an empty reply stays empty). It compares method and
 * path only, by their ending, never the body.
 */
export async function startReplayServer(
  exchange: RecordedExchange | readonly RecordedExchange[],
  options: ReplayServerOptions = {},
): Promise<ReplayServer> {
  const exchanges = Array.isArray(exchange)
    ? (exchange as readonly RecordedExchange[])
    : [exchange as RecordedExchange]
  const version = exchanges[0]?.koboldcpp ?? '1.115.1'
  const { fallbacks = defaultFallbacks(version), timeScale = 0 } = options
  const choose = createChooser(exchanges, fallbacks)
  const requests: ReplayedRequest[] = []
  const sockets = new Set<Socket>()

  const onRequest = (socket: Socket) => (request: HttpRequest) => {
    const { method, path, headers } = request
    const bodyText = request.body.toString('utf8')
    const chosen = choose(request)
    requests.push({ method, path, headers, bodyText, body: parseJson(bodyText), exchange: chosen?.name })
    if (chosen === undefined) socket.end(notRecorded)
    else void replay(socket, chosen.response, timeScale)
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    readHttp(socket, {
      maxBodyBytes: Number.POSITIVE_INFINITY,
      chunkedBodies: true,
      onRequest: onRequest(socket),
      onTooLarge: () => {},
      onNonsense: () => socket.destroySoon(),
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return { url: `http://127.0.0.1:${port}`, port, requests, close, [Symbol.asyncDispose]: close }
}

function isVersion(text: string): text is KoboldVersion {
  return text === '1.76' || text === '1.115.1'
}

function defaultFallbacks(version: string): readonly RecordedExchange[] {
  if (!isVersion(version)) return []
  const known = listExchanges(version)
  return fallbackNames.filter((name) => known.includes(name)).map((name) => loadExchange(version, name))
}

function bare(path: string): string {
  return path.replace(/\?.*$/, '').replace(/\/+$/, '')
}

function fits({ request }: RecordedExchange, { method, path }: HttpRequest): boolean {
  const [asked, recorded] = [bare(path), bare(request.path)]
  return method === request.method && (asked.endsWith(recorded) || recorded.endsWith(asked))
}

/** Exchanges of the same path are used one after the other; the last one goes on. */
function createChooser(exchanges: readonly RecordedExchange[], fallbacks: readonly RecordedExchange[]) {
  const left = [...exchanges]
  return (request: HttpRequest): RecordedExchange | undefined => {
    const index = left.findIndex((exchange) => fits(exchange, request))
    const found = left[index]
    if (found === undefined) return fallbacks.find((exchange) => fits(exchange, request))
    const another = left.some((exchange, other) => other > index && fits(exchange, request))
    if (another) left.splice(index, 1)
    return found
  }
}

function headOf({
  httpVersion = 'HTTP/1.0',
  status,
  statusText = '',
  rawHeaders = [],
}: RecordedHttpResponse) {
  return `${httpVersion} ${status} ${statusText}\r\n${rawHeaders.map((line) => `${line}\r\n`).join('')}\r\n`
}

interface Piece {
  readonly atMs: number
  readonly text: string
}

function piecesOf(response: RecordedHttpResponse): readonly Piece[] {
  if (response.status === null) return []
  const head = { atMs: response.firstByteMs ?? 0, text: headOf(response) }
  if (response.chunks !== undefined) return [head, ...response.chunks]
  return response.body ? [head, { atMs: head.atMs, text: response.body }] : [head]
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}

async function replay(socket: Socket, response: RecordedHttpResponse, timeScale: number): Promise<void> {
  if (response.connectionEnd === 'connect failed' || response.connectionEnd === 'connection reset') {
    socket.resetAndDestroy()
    return
  }
  let before = 0
  for (const { atMs, text } of piecesOf(response)) {
    // At least a millisecond, so that the kernel does not join what the server wrote apart.
    await pause(Math.max(1, (atMs - before) * timeScale))
    before = atMs
    if (socket.destroyed) return
    socket.write(text, 'utf8')
  }
  // Where the client left first, the server had not ended: the connection stays open.
  if (response.connectionEnd.startsWith('server closed')) socket.destroySoon()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const notRecorded =
  'HTTP/1.0 404 Not Found\r\ncontent-type: text/plain\r\n\r\nNo recorded exchange fits this request.\n'
