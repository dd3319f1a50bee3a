import type { Socket } from 'node:net'
import type { ReplySink, WholeReply } from '../wire/reply-sink.ts'
import type { KoboldVersion } from './contract/simulator-options.ts'

const statusTexts: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

const allowAll =
  'access-control-allow-origin: *\r\naccess-control-allow-methods: *\r\naccess-control-allow-headers: *, Accept, ' +
  'Content-Type, Content-Length, Cache-Control, Accept-Encoding, X-CSRF-Token, Client-Agent, X-Fields, Content-Type, ' +
  'Authorization, X-Requested-With, X-HTTP-Method-Override, apikey, genkey\r\n'

const resetDelayMs = 20

let dateText = ''
let dateUntil = 0

/** The date header, made once a second: benchmarks ask ten thousand times. */
function dateNow(): string {
  const now = Date.now()
  if (now >= dateUntil) {
    dateText = new Date(now).toUTCString()
    dateUntil = now - (now % 1000) + 1000
  }
  return dateText
}

interface SocketSinkOptions {
  readonly socket: Socket
  readonly version: KoboldVersion
  /** Answer in HTTP/1.1 and keep the connection. */
  readonly keepAlive: boolean
  /** See ReplySink. */
  readonly onGone: (listener: () => void) => void
  /** The answer is out and the connection is kept. */
  readonly onKept: () => void
}

/** Writes answers onto a socket, header for header as recorded. */
export function createSocketSink(options: SocketSinkOptions): ReplySink {
  const { socket, version, keepAlive } = options
  const server = version === '1.76' ? 'ConcedoLlamaForKoboldServer' : 'KoboldCppServer 1'
  const protocol = keepAlive ? 'HTTP/1.1' : 'HTTP/1.0'
  let ended = false

  const headOf = (reply: WholeReply) => {
    const text = reply.statusText ?? statusTexts[reply.status] ?? 'Unknown'
    let head = `${protocol} ${reply.status} ${text}\r\nServer: ${server}\r\nDate: ${dateNow()}\r\n`
    if (reply.length || keepAlive) head += `content-length: ${Buffer.byteLength(reply.body)}\r\n`
    for (const [name, value] of Object.entries(reply.headers ?? {})) head += `${name}: ${value}\r\n`
    return `${head}${allowAll}cache-control: no-store\r\ncontent-type: ${reply.contentType}\r\n\r\n`
  }
  const close = () => {
    ended = true
    socket.destroySoon()
  }
  return {
    reply(reply) {
      if (ended) return
      ended = true
      socket.write(headOf(reply) + reply.body)
      if (keepAlive) options.onKept()
      else close()
    },
    startStream(contentType) {
      const buffering = version === '1.76' ? '' : 'X-Accel-Buffering: no\r\n'
      socket.write(
        `${protocol} 200 OK\r\nServer: ${server}\r\nDate: ${dateNow()}\r\n${buffering}cache-control: no-cache\r\n` +
          // The real server says keep-alive in HTTP/1.0 and closes anyway; in HTTP/1.1 a client would believe it.
          `connection: ${keepAlive ? 'close' : 'keep-alive'}\r\n${allowAll}` +
          `cache-control: no-store\r\ncontent-type: ${contentType}\r\n\r\n`,
      )
    },
    write(text) {
      if (!ended) socket.write(text)
    },
    end: close,
    replyHalf(reply) {
      socket.write(headOf({ ...reply, length: true }) + reply.body.slice(0, reply.body.length >> 1))
    },
    reset() {
      ended = true
      // A reset throws away what the other side has not read yet, so what was written gets a moment.
      socket.write('', () => setTimeout(() => socket.resetAndDestroy(), resetDelayMs))
    },
    onGone: options.onGone,
  }
}
