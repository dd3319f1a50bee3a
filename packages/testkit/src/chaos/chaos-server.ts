import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import * as zlib from 'node:zlib'
import { GENERATIONS, sideReply } from './chaos-fetch.ts'
import type { ChaosPlan, ChaosReply } from './chaos-plan.ts'

/** A server of raw bytes on a loopback socket: 1xx, compression and cuts are real. */
export interface ChaosServer extends AsyncDisposable {
  /** Its address, without a slash at the end. */
  readonly url: string
  /** Calls of the endpoint that is there. */
  readonly calls: number
}

/** Starts the server of a plan on a free port of 127.0.0.1. */
export async function startChaosServer(plan: ChaosPlan): Promise<ChaosServer> {
  const sockets = new Set<Socket>()
  let calls = 0
  const answer = (socket: Socket, path: string): Promise<void> => {
    const endpoint = GENERATIONS[path]
    if (endpoint === undefined) {
      const { status, body } = sideReply(path, { isIdle: true, perf: plan.perf })
      return sendWhole(socket, status, body)
    }
    if (endpoint !== plan.endpoint) return sendWhole(socket, 404, '')
    calls += 1
    const reply = calls === 1 ? (plan.first ?? plan.reply) : plan.reply
    return sendReply(socket, reply, framingOf(plan, reply))
  }
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    readRequests(socket, (path) => void answer(socket, path).catch(() => socket.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    get calls() {
      return calls
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Calls back with the path of each request once its body is whole. */
function readRequests(socket: Socket, onRequest: (path: string) => void): void {
  let bytes = Buffer.alloc(0)
  socket.on('data', (more: Buffer) => {
    bytes = Buffer.concat([bytes, more])
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = bytes.toString('latin1', 0, end)
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
    if (bytes.length < end + 4 + length) return
    bytes = bytes.subarray(end + 4 + length)
    onRequest(head.split(' ')[1] ?? '/')
  })
}

async function sendWhole(socket: Socket, status: number, body: string): Promise<void> {
  const head = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`
  socket.end(`HTTP/1.1 ${status} Whatever\r\n${head}\r\n\r\n${body}`)
}

type Framing = 'close' | 'length' | 'chunked'

/** How the client learns of the end of the body. One that is too short has to say how long it should be. */
function framingOf({ seed }: ChaosPlan, { end }: ChaosReply): Framing {
  const framings: Framing[] =
    end === 'short'
      ? ['length', 'chunked']
      : end === 'open'
        ? ['close', 'chunked']
        : ['close', 'length', 'chunked']
  return framings[seed % framings.length] ?? 'close'
}

async function sendReply(socket: Socket, reply: ChaosReply, framing: Framing): Promise<void> {
  const { status, headers, informational, compression, end } = reply
  if (end === 'unheard') {
    socket.destroy()
    return
  }
  for (const code of informational) {
    socket.write(`HTTP/1.1 ${code} Wait\r\n${code === 103 ? 'link: </a.css>\r\n' : ''}\r\n`)
  }
  const pieces = withoutLast(await compressed(reply), reply.lostBytes ?? 0)
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0) + (end === 'short' ? 7 : 0)
  const fields = {
    ...headers,
    connection: 'close',
    ...(compression.length > 0 && {
      'content-encoding': compression.map((name) => name.replace('raw ', '')).join(', '),
    }),
    ...(framing === 'length' && { 'content-length': `${length}` }),
    ...(framing === 'chunked' && { 'transfer-encoding': 'chunked' }),
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n`)
  for (const [index, piece] of pieces.entries()) {
    if (piece.length === 0) continue
    socket.write(framing === 'chunked' ? chunk(piece) : piece)
    // So that the first pieces are reads of their own.
    if (index < 60) await turn()
  }
  if (end === 'open') return
  if (end === 'reset') socket.resetAndDestroy()
  else socket.end(framing === 'chunked' && end !== 'short' ? '0\r\n\r\n' : '')
}

function withoutLast(pieces: Buffer[], count: number): Buffer[] {
  let left = pieces.reduce((sum, { length }) => sum + length, 0) - count
  return pieces.map((piece) => {
    const kept = piece.subarray(0, Math.max(0, left))
    left -= piece.length
    return kept
  })
}

const chunk = (piece: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])

/** The pieces after each compression, what each piece became as a piece of its own. */
async function compressed({ steps, compression, end }: ChaosReply): Promise<Buffer[]> {
  let pieces: Buffer[] = steps.map(({ bytes }) => Buffer.from(bytes))
  for (const name of compression) {
    const encoder = ENCODERS[name]?.()
    if (!encoder) throw new Error(`No compression is called ${name}.`)
    const made: Buffer[] = []
    let part: Buffer[] = []
    encoder.on('data', (bytes: Buffer) => part.push(bytes))
    const take = () => {
      made.push(Buffer.concat(part))
      part = []
    }
    for (const piece of pieces) {
      encoder.write(piece)
      await new Promise<void>((resolve) => encoder.flush(resolve))
      take()
    }
    // What breaks off has no end mark either.
    if (end === 'close') {
      encoder.end()
      await once(encoder, 'end')
      take()
    }
    pieces = made
  }
  return pieces
}

interface Encoder extends NodeJS.ReadWriteStream {
  flush(callback: () => void): void
}

const ENCODERS: Readonly<Record<string, () => Encoder>> = {
  gzip: () => zlib.createGzip(),
  'x-gzip': () => zlib.createGzip(),
  deflate: () => zlib.createDeflate(),
  'raw deflate': () => zlib.createDeflateRaw(),
  br: () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd: () => zlib.createZstdCompress(),
}
