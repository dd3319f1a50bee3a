import type { ReplySink, WholeReply } from './reply-sink.ts'

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
