import type { KyInstance, Options } from 'ky'
import { BackendError } from '../../contract/backend.ts'
import { nodeProblem } from '../../contract/node-version.ts'
import type { HangUp, PoolCall, Transport } from './pool-fetch.ts'

export interface ClientOptions {
  /** Address under which the paths lie, without a slash at its end. */
  baseUrl: string
  /** Sent as `Authorization: Bearer …`. */
  apiKey?: string
  connectTimeoutMs: number
  /** Sends the requests instead of our own pool, for instance `fetch` under msw. */
  fetch?: typeof globalThis.fetch
}

export interface HttpCall {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** JSON text. */
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface GenerationCall {
  readonly path: string
  /** JSON text. */
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called when the request is about to be written, with what closes its connection. */
  readonly onSent: (hangUp: HangUp) => void
}

/** Resolves with any reply, whatever its status. Rejects with what undici or `fetch` threw. */
export interface HttpClient {
  /** A question beside the generations. */
  send(call: HttpCall): Promise<Response>
  /** A generation: without ky, which costs as much as everything else in a call (docs/adr/0022). */
  generate(call: GenerationCall): Promise<Response>
  /** Cuts what still runs. May be called twice. */
  close(): Promise<void>
}

/**
 * A client for one server. ky and undici take 100 ms to import, so they are not before the first call: a program that
 * only imports the library does not wait for them.
 */
export function createClient(options: ClientOptions): HttpClient {
  let opening: Promise<HttpClient> | undefined
  let client: HttpClient | undefined
  let isClosed = false
  const open = async () => {
    client = await openClient(options)
    if (isClosed) await client.close()
    return client
  }
  const opened = () => {
    opening ??= open()
    return opening
  }
  return {
    send: async (call) => (client ?? (await opened())).send(call),
    generate: (call) => (client ? client.generate(call) : opened().then((given) => given.generate(call))),
    async close() {
      isClosed = true
      await (await opening)?.close()
    },
  }
}

/** It repeats nothing and limits no time: both are decided above it. */
async function openClient({ baseUrl, apiKey, connectTimeoutMs, fetch }: ClientOptions): Promise<HttpClient> {
  const problem = nodeProblem()
  if (problem !== undefined) throw new BackendError('unsendable', problem, { reason: 'runtime' })
  const { createPoolFetch } = await import('./pool-fetch.ts')
  const pool = fetch ? undefined : createPoolFetch({ origin: new URL(baseUrl).origin, connectTimeoutMs })
  const transport = pool?.fetch ?? overFetch(fetch ?? globalThis.fetch)
  const common = { ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) }
  const withBody = { ...common, 'content-type': 'application/json' }
  let asking: Promise<KyInstance> | undefined
  return {
    async send({ method, path, ...delivery }) {
      asking ??= openKy(transport)
      const headers = delivery.body === undefined ? common : withBody
      const options: Options & { delivery: Delivery } = { method, delivery: { ...delivery, headers } }
      return (await asking)(baseUrl + path, options)
    },
    generate: ({ path, body, headers, onSent }) =>
      transport({
        url: baseUrl + path,
        method: 'POST',
        headers: headers ? { ...sendable(headers), ...withBody } : withBody,
        body,
        onSent,
      }),
    async close() {
      await pool?.close()
    },
  }
}

/**
 * What travels beside ky's `Request`, as one option that ky hands on untouched. A body, headers and a signal inside a
 * `Request` cost three times as much: a stream, two copies of the headers, a chain of signals.
 */
type Delivery = Omit<PoolCall, 'url' | 'method'>

async function openKy(transport: Transport): Promise<KyInstance> {
  const { default: ky } = await import('ky')
  return ky.create({
    retry: 0,
    timeout: false,
    throwHttpErrors: false,
    fetch: (request, init?: RequestInit & { delivery?: Delivery }) => {
      if (!(request instanceof Request) || !init?.delivery) throw new TypeError('ky sent no Request.')
      const method = request.method === 'GET' ? 'GET' : 'POST'
      return transport({ url: request.url, method, ...init.delivery })
    },
  })
}

/** A foreign fetch does not tell when it starts to write, so it counts as started. */
const overFetch =
  (fetch: typeof globalThis.fetch): Transport =>
  ({ url, method, headers, body, signal, onSent }) => {
    const control = new AbortController()
    onSent?.((reason) => control.abort(reason))
    return fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, control.signal]) : control.signal,
      ...(body !== undefined && { body }),
    })
  }

/** A token of RFC 9110, and text that a header can carry: printable Latin-1 with tabs, as Node checks it. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What belongs to the connection or to the body that we write. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'content-encoding', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
])

/** The headers of a caller that a request can carry; the others are dropped: they are no reason to refuse the event. */
function sendable(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const lowerName = name.toLowerCase()
    const isKept = HEADER_NAME.test(name) && typeof value === 'string' && HEADER_VALUE.test(value)
    if (isKept && !OWN_HEADERS.has(lowerName)) kept[lowerName] = value
  }
  return kept
}
