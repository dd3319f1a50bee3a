import type { Socket } from 'node:net'

/** A request read off a socket. */
export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly httpVersion: string
  /** Names in lower case, doubles joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

interface HttpReaderOptions {
  /** Larger bodies are not read. */
  readonly maxBodyBytes: number
  /** Whether a chunked body is read (1.76 does not: it sees none). */
  readonly chunkedBodies: boolean
  onRequest(request: HttpRequest): void
  /** The body is larger than allowed. */
  onTooLarge(): void
  /** The real server would not answer this as a request. */
  onNonsense(): void
}

interface Head {
  readonly method: string
  readonly path: string
  readonly httpVersion: string
  readonly headers: Record<string, string>
}

const empty = Buffer.alloc(0)

/** A small HTTP/1 reader, so that every byte of the answer is ours (HTTP/1.0, resets, empty replies). */
export function readHttp(socket: Socket, options: HttpReaderOptions): HttpReader {
  let chunks: Buffer[] = []
  let size = 0
  let head: Head | undefined
  let wanted = 0
  let busy = false

  const take = (body: Buffer, rest: Buffer) => {
    const { method = '', path = '', httpVersion = '', headers = {} } = head ?? {}
    head = undefined
    chunks = rest.length > 0 ? [rest] : []
    size = rest.length
    busy = true
    options.onRequest({ method, path, httpVersion, headers, body })
  }
  const readBody = (data: Buffer, { headers }: Head): void => {
    if (headers['transfer-encoding']?.toLowerCase() === 'chunked') {
      const read = options.chunkedBodies ? readChunked(data) : 'broken'
      if (read === 'broken') take(empty, empty)
      else if (read !== undefined) take(read.body, read.rest)
      return
    }
    const length = headers['content-length'] ?? '0'
    wanted = /^\d+$/.test(length) ? Number(length) : Number.NaN
    if (Number.isNaN(wanted)) options.onNonsense()
    else if (wanted > options.maxBodyBytes) options.onTooLarge()
    else if (data.length >= wanted) take(data.subarray(0, wanted), data.subarray(wanted))
  }
  const read = () => {
    if (busy || size === 0 || (head !== undefined && size < wanted)) return
    let data = chunks.length === 1 ? (chunks[0] ?? empty) : Buffer.concat(chunks)
    if (head === undefined) {
      const end = data.indexOf('\r\n\r\n')
      if (end < 0) {
        chunks = [data]
        return
      }
      head = parseHead(data.toString('latin1', 0, end))
      if (head === undefined) return options.onNonsense()
      data = data.subarray(end + 4)
      wanted = 0
    }
    chunks = [data]
    size = data.length
    readBody(data, head)
  }
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    read()
  })
  return {
    next() {
      busy = false
      wanted = 0
      read()
    },
  }
}

function parseHead(text: string): Head | undefined {
  const lines = text.split('\r\n')
  const [method, path, httpVersion] = (lines[0] ?? '').split(' ')
  if (method === undefined || path === undefined || httpVersion === undefined) return undefined
  const headers: Record<string, string> = {}
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] ?? ''
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  return { method, path, httpVersion, headers }
}

/** Decodes a chunked body; undefined until it is complete. */
function readChunked(data: Buffer): { body: Buffer; rest: Buffer } | 'broken' | undefined {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = data.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(data.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size)) return 'broken'
    const start = lineEnd + 2
    if (data.length < start + size + 2) return undefined
    if (size === 0) return { body: Buffer.concat(parts), rest: data.subarray(start + 2) }
    parts.push(data.subarray(start, start + size))
    at = start + size + 2
  }
}

/** Reads requests one after the other. The next one is read only after `next()`. */
export interface HttpReader {
  next(): void
}
