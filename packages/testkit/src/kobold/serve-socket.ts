import { createServer, type Server, type Socket } from 'node:net'
import { type HttpReader, readHttp } from '../wire/http-reader.ts'
import { payloadTooBig } from './contract/error-replies.ts'
import type { ResolvedOptions } from './contract/simulator-options.ts'
import type { KoboldEngine } from './kobold-engine.ts'
import { createSocketSink } from './socket-sink.ts'

const maxBodyBytes = 32 * 1024 * 1024

/** Reads requests off a connection and lets the engine answer them. */
export function serveSocket(
  socket: Socket,
  engine: KoboldEngine,
  options: ResolvedOptions & { keepAlive: boolean },
) {
  const gone = watchGone(socket)
  let reader: HttpReader | undefined
  const newSink = () => {
    const sink = createSocketSink({
      socket,
      version: options.version,
      keepAlive: options.keepAlive,
      onGone: gone.listen,
      onKept: () => {
        gone.answered()
        queueMicrotask(() => reader?.next())
      },
    })
    return {
      ...sink,
      reply: (reply: Parameters<typeof sink.reply>[0]) => {
        // What the caller does after a whole answer is not a hang-up.
        gone.answered()
        sink.reply(reply)
      },
      end: () => {
        gone.answered()
        sink.end()
      },
    }
  }
  reader = readHttp(socket, {
    maxBodyBytes,
    chunkedBodies: options.version !== '1.76',
    onRequest: ({ method, path, headers, body }) =>
      engine.handle({ method, path, headers, bodyText: decode(body) }, newSink()),
    onTooLarge: () => newSink().reply(payloadTooBig()),
    onNonsense: () => socket.destroySoon(),
  })
}

/** Calls back once when the other side has closed; at once if it has already. */
function watchGone(socket: Socket) {
  const listeners = new Set<() => void>()
  let gone = false
  const leave = () => {
    if (gone) return
    gone = true
    // Nobody is being answered: there is no one else to close our half.
    if (listeners.size === 0) socket.destroySoon()
    for (const listener of listeners) listener()
    listeners.clear()
  }
  socket.on('end', leave)
  socket.on('close', leave)
  return {
    listen(listener: () => void) {
      if (gone) listener()
      else listeners.add(listener)
    },
    answered: () => listeners.clear(),
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(body: Buffer): string | undefined {
  try {
    return utf8.decode(body)
  } catch {
    return undefined
  }
}

/** The port: opened and closed any number of times, always the same number. */
export function createDoor(host: string, firstPort: number, onSocket: (socket: Socket) => void) {
  let server: Server | undefined
  let port = firstPort
  return {
    port: () => port,
    open(): Promise<void> {
      if (server !== undefined) return Promise.resolve()
      const opened = createServer({ allowHalfOpen: true, noDelay: true }, onSocket)
      server = opened
      return new Promise((resolve, reject) => {
        opened.once('error', reject)
        opened.listen(port, host, () => {
          const address = opened.address()
          if (typeof address === 'object' && address !== null) port = address.port
          resolve()
        })
      })
    },
    close(): void {
      server?.close()
      server = undefined
    },
  }
}

export type Door = ReturnType<typeof createDoor>
