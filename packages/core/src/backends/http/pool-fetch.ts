import { buildConnector, type Dispatcher, Pool } from 'undici'
import { ResetError } from './errors.ts'
import { MAX_REPLY_BYTES, PoolBody, PoolResponse, type ReplyHeaders } from './pool-response.ts'
import { type Connector, skipInformational } from './skip-informational.ts'

export interface PoolFetchOptions {
  /** Scheme, host and port of the server. */
  origin: string
  /** How long a connection may take, in milliseconds. The reply itself has no limit here. */
  connectTimeoutMs: number
  /** Most connections at a time; default: as many as there are calls. */
  connections?: number
}

export interface PoolFetch {
  readonly fetch: Transport
  /** Cuts what still runs. May be called twice. */
  close(): Promise<void>
}

/**
 * A fetch for one server over undici's pool: no hidden timeouts (Node's own fetch gives up after 300 s, while a model
 * may still read its prompt), no redirects, text bodies with a content-length.
 */
export function createPoolFetch({ origin, connectTimeoutMs, connections }: PoolFetchOptions): PoolFetch {
  const resets = createResetWatch()
  const pool = new Pool(origin, {
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: resets.over(skipInformational(buildConnector({ timeout: connectTimeoutMs }))),
    connections: connections ?? null,
    maxResponseSize: MAX_REPLY_BYTES,
  })
  return {
    fetch: ({ url, method, headers, body, signal, onSent }) =>
      new Promise((resolve, reject) => {
        const reader = new ReplyReader({
          url,
          onReply: resolve,
          onFailure: reject,
          resets,
          ...(onSent && { onSent }),
        })
        if (signal) reader.obey(signal)
        const options = { path: url.slice(origin.length), method, headers, body: body ?? null }
        pool.dispatch(options, reader)
      }),
    async close() {
      if (!pool.destroyed) await pool.destroy()
    },
  }
}

interface ReaderOptions extends Pick<PoolCall, 'url' | 'onSent'> {
  onReply(response: PoolResponse): void
  onFailure(error: Error): void
  readonly resets: ResetWatch
}

/** One call as undici tells of it: when it is written, the head of its reply, and the body piece by piece. */
class ReplyReader implements Dispatcher.DispatchHandler {
  readonly #options: ReaderOptions
  #controller: Dispatcher.DispatchController | undefined
  #body: PoolBody | undefined
  #stopped: Error | undefined
  #forget: (() => void) | undefined

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  obey(signal: AbortSignal): void {
    const stop = () => {
      this.#stopped = signal.reason
      // Before it is written it waits for a connection; nobody need wait with it.
      if (this.#controller) this.#controller.abort(signal.reason)
      else this.#options.onFailure(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
    this.#forget = () => signal.removeEventListener('abort', stop)
    if (signal.aborted) stop()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#stopped) controller.abort(this.#stopped)
    else this.#options.onSent?.((reason) => controller.abort(reason))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: ReplyHeaders,
    statusText = '',
  ): void {
    if (statusCode < 200) return
    this.#body = new PoolBody(controller)
    this.#options.onReply(
      new PoolResponse({ statusCode, statusText, headers, body: this.#body }, this.#options.url),
    )
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#body?.push(piece)
  }

  onResponseEnd(): void {
    this.#forget?.()
    this.#body?.end(this.#options.resets.isNow() ? new ResetError() : undefined)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#forget?.()
    if (this.#body) this.#body.end(error)
    else this.#options.onFailure(error)
  }
}

/**
 * undici takes a reset for the end of a reply that says neither its length nor its pieces, because macOS resets after
 * whole replies, too. Its reader has to know: a stream may have broken off there.
 */
interface ResetWatch {
  over(connect: Connector): Connector
  /** True while undici hears of a reset. It ends the reply of that connection before its listener returns. */
  isNow(): boolean
}

function createResetWatch(): ResetWatch {
  let isNow = false
  const onError = (error: Error) => {
    if (!('code' in error && error.code === 'ECONNRESET')) return
    isNow = true
    queueMicrotask(() => {
      isNow = false
    })
  }
  return {
    over: (connect) => (options, callback) =>
      connect(options, (...result) => {
        const [error, socket] = result
        // Before undici listens to it.
        if (!error) socket.on('error', onError)
        callback(...result)
      }),
    isNow: () => isNow,
  }
}

export interface PoolCall {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
  /** Called when the request is about to be written: until then the server knows nothing of it. */
  readonly onSent?: (hangUp: HangUp) => void
}

/** Sends a request; never follows a redirect. */
export type Transport = (call: PoolCall) => Promise<Response>

/** Ends a request with this error, whether its reply has begun or not. */
export type HangUp = (reason: Error) => void
