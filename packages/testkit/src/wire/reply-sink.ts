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

const encoder = new TextEncoder()

/** What an in-process caller gets: a response, or the failure of the connection. */
export type CollectedReply =
  | { readonly kind: 'response'; readonly response: Response }
  | { readonly kind: 'failed' }

function responseOf(reply: WholeReply): Response {
  return new Response(reply.body, {
    status: reply.status,
    headers: { 'content-type': reply.contentType, 'cache-control': 'no-store', ...reply.headers },
  })
}

/** A sink without a socket: the answer becomes a Response, a stream its body. `signal` is the caller's. */
export function createCollectingSink(signal: AbortSignal): {
  sink: ReplySink
  reply: Promise<CollectedReply>
} {
  const { promise, resolve } = Promise.withResolvers<CollectedReply>()
  const listeners = new Set<() => void>()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let ended = false

  const leave = () => {
    if (ended) return
    ended = true
    for (const listener of listeners) listener()
  }
  signal.addEventListener('abort', leave, { once: true })
  const finish = () => {
    ended = true
    signal.removeEventListener('abort', leave)
  }
  const open = (contentType: string) => {
    const body = new ReadableStream<Uint8Array>({
      start(opened) {
        controller = opened
      },
      cancel: leave,
    })
    const headers = { 'content-type': contentType, 'cache-control': 'no-cache, no-store' }
    resolve({ kind: 'response', response: new Response(body, { headers }) })
  }
  const fail = () => {
    controller?.error(new TypeError('terminated'))
    resolve({ kind: 'failed' })
  }
  const sink: ReplySink = {
    reply(reply) {
      if (ended) return
      finish()
      resolve({ kind: 'response', response: responseOf(reply) })
    },
    startStream: open,
    write(text) {
      if (!ended) controller?.enqueue(encoder.encode(text))
    },
    end() {
      if (ended) return
      finish()
      if (controller === undefined) resolve({ kind: 'failed' })
      else controller.close()
    },
    replyHalf(reply) {
      open(reply.contentType)
      sink.write(reply.body.slice(0, reply.body.length >> 1))
      // Half a body with a promised length fails, however the connection ends.
      finish()
      fail()
    },
    reset() {
      if (ended) return
      finish()
      fail()
    },
    onGone(listener) {
      if (ended) listener()
      else listeners.add(listener)
    },
  }
  return { sink, reply: promise }
}

export function jsonReply(body: string, status = 200): WholeReply {
  return { status, contentType: 'application/json', body, length: status === 200 || status === 400 }
}
