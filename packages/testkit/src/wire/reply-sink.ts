/** A whole answer. `length: false`: it ends with the connection, as KoboldCPP's errors do. */
export interface WholeReply {
  readonly status: number
  readonly statusText?: string
  readonly contentType: string
  readonly body: string
  readonly length: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Where an answer goes: a socket, or a mocked response. The simulator itself does not know which. */
export interface ReplySink {
  /** Sends the whole answer and ends. */
  reply(reply: WholeReply): void
  /** Sends the head of a stream. */
  startStream(contentType: string): void
  write(text: string): void
  /** A clean end (FIN). Without a byte before it, an empty reply. */
  end(): void
  /** Sends a head that promises the whole body, and only half of it. */
  replyHalf(reply: WholeReply): void
  /** Cuts the connection with a reset. */
  reset(): void
  /** Calls back once if the caller leaves before the answer has ended; at once if it has left already. */
  onGone(listener: () => void): void
}

export function jsonReply(body: string, status = 200): WholeReply {
  return { status, contentType: 'application/json', body, length: status === 200 || status === 400 }
}

/** What an in-process caller gets: a response, or the failure of the connection. */
type CollectedReply = { readonly kind: 'response'; readonly response: Response } | { readonly kind: 'failed' }

const encoder = new TextEncoder()

/** A sink without a socket: the answer becomes a Response, a stream its body. */
export class CollectingSink implements ReplySink {
  readonly #result = Promise.withResolvers<CollectedReply>()
  readonly #listeners = new Set<() => void>()
  readonly #signal: AbortSignal
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #hasEnded = false

  /** `signal` is the caller's. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#leave, { once: true })
  }

  get collected(): Promise<CollectedReply> {
    return this.#result.promise
  }

  reply(reply: WholeReply): void {
    if (!this.#finish()) return
    const headers = { 'content-type': reply.contentType, 'cache-control': 'no-store', ...reply.headers }
    const response = new Response(reply.body, { status: reply.status, headers })
    this.#result.resolve({ kind: 'response', response })
  }

  startStream(contentType: string): void {
    const body = new ReadableStream<Uint8Array>({
      start: (opened) => {
        this.#controller = opened
      },
      cancel: this.#leave,
    })
    const headers = { 'content-type': contentType, 'cache-control': 'no-cache, no-store' }
    this.#result.resolve({ kind: 'response', response: new Response(body, { headers }) })
  }

  write(text: string): void {
    if (!this.#hasEnded) this.#controller?.enqueue(encoder.encode(text))
  }

  end(): void {
    if (!this.#finish()) return
    if (this.#controller === undefined) this.#result.resolve({ kind: 'failed' })
    else this.#controller.close()
  }

  /** Half a body with a promised length fails, however the connection ends. */
  replyHalf(reply: WholeReply): void {
    this.startStream(reply.contentType)
    this.write(reply.body.slice(0, reply.body.length >> 1))
    this.reset()
  }

  reset(): void {
    if (!this.#finish()) return
    this.#controller?.error(new TypeError('terminated'))
    this.#result.resolve({ kind: 'failed' })
  }

  onGone(listener: () => void): void {
    if (this.#hasEnded) listener()
    else this.#listeners.add(listener)
  }

  /** False: it has ended before. */
  #finish(): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    this.#signal.removeEventListener('abort', this.#leave)
    return true
  }

  readonly #leave = (): void => {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const listener of this.#listeners) listener()
  }
}
