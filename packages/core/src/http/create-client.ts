export interface ClientOptions {
  /** Address under which the paths lie, without a slash at its end. */
  baseUrl: string
  /** Sent as `Authorization: Bearer …`. */
  apiKey?: string
  connectTimeoutMs: number
  /** Sends the requests instead of our own pool, for instance `fetch` under msw. */
  fetch?: typeof globalThis.fetch
}

/** Ends a request with this error, whether its reply has begun or not. */
export type HangUp = (reason: Error) => void

export interface HttpCall {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** JSON text. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Called when the request is about to be written, with what closes its connection. */
  readonly onSent?: (hangUp: HangUp) => void
}

export interface HttpClient {
  /** Resolves with any reply, whatever its status. Rejects with what undici or `fetch` threw. */
  send(call: HttpCall): Promise<Response>
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
    const { openClient } = await import('./open-client.ts')
    client = openClient(options)
    if (isClosed) await client.close()
    return client
  }
  return {
    async send(call) {
      opening ??= open()
      return (client ?? (await opening)).send(call)
    },
    async close() {
      isClosed = true
      await (await opening)?.close()
    },
  }
}
