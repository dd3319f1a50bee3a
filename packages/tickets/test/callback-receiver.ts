import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedCallback {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers a request; `null`: never. */
export type ReceiverReply = number | null | ((response: ServerResponse, request: IncomingMessage) => unknown)

export type Receiver = Awaited<ReturnType<typeof startCallbackReceiver>>

/** Somebody's endpoint on a loopback port. Replies come in order, the last one again and again. */
export async function startCallbackReceiver(...replies: ReceiverReply[]) {
  const received: ReceivedCallback[] = []
  const waiting = new Set<() => void>()
  let running = 0
  let mostRunning = 0
  let asked = 0
  const server = createServer(async (request, response) => {
    running += 1
    mostRunning = Math.max(mostRunning, running)
    response.once('close', () => {
      running -= 1
      for (const look of waiting) look()
    })
    const reply = replies[Math.min(asked++, replies.length - 1)]
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push({
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    })
    if (typeof reply === 'function') await reply(response, request)
    else if (reply !== null) response.writeHead(reply ?? 204).end()
    for (const look of waiting) look()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const receiver = {
    port,
    url: `http://127.0.0.1:${port}`,
    received,
    get running() {
      return running
    },
    get mostRunning() {
      return mostRunning
    },
    /** Resolves as soon as it holds; looked at when a request has come or gone. */
    async waitFor(holds: () => boolean): Promise<void> {
      if (holds()) return
      const done = Promise.withResolvers<void>()
      const look = () => holds() && done.resolve()
      waiting.add(look)
      await done.promise
      waiting.delete(look)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
