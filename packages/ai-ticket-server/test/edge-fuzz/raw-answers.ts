import { connect } from 'node:net'

/** An answer off the wire. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export interface RawExchange {
  readonly answers: readonly RawAnswer[]
  /** `answered`: as many answers as wanted. `closed`: by the server. `open`: nothing more came in time. */
  readonly end: 'answered' | 'closed' | 'open'
  /** Bytes behind the last whole answer. */
  readonly rest: string
}

export interface SendOptions {
  /** Stop after so many final answers. Default 1. */
  readonly answers?: number
  /** Milliseconds until it is given up. */
  readonly patienceMs: number
  /** No answer is waited for: the client hangs up when its bytes are out. */
  readonly hangsUp?: boolean
  /** The method of the request, of whose answers a body is read by the rules of HTTP. */
  readonly method?: string
}

/** Sends pieces as they are, one after another, over a connection of its own. */
export function sendPieces(
  port: number,
  pieces: readonly Uint8Array[],
  { answers: wanted = 1, patienceMs, hangsUp = false, method = 'GET' }: SendOptions,
): Promise<RawExchange> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    let received = Buffer.alloc(0)
    const settle = (end: RawExchange['end']) => {
      clearTimeout(timer)
      socket.destroy()
      const { answers, rest } = readAnswers(received.toString('latin1'), method, end !== 'open')
      resolve({ answers, end, rest })
    }
    const timer = setTimeout(() => settle('open'), patienceMs)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (readAnswers(received.toString('latin1'), method, false).answers.length >= wanted) settle('answered')
    })
    // A reset is one way to close.
    socket.on('error', () => {}).on('close', () => settle('closed'))
    socket.on('connect', () => {
      const writeFrom = (index: number): void => {
        const piece = pieces[index]
        if (piece === undefined) {
          if (hangsUp) settle('open')
          return
        }
        socket.write(piece, () => setImmediate(writeFrom, index + 1))
      }
      writeFrom(0)
    })
  })
}

/** The final answers; interim ones (1xx) are skipped. */
function readAnswers(
  text: string,
  method: string,
  isClosed: boolean,
): { answers: RawAnswer[]; rest: string } {
  const answers: RawAnswer[] = []
  let rest = text
  for (;;) {
    const read = readAnswer(rest, method, isClosed)
    if (read === undefined) return { answers, rest }
    if (read.answer.status >= 200) answers.push(read.answer)
    rest = read.rest
  }
}

function readAnswer(
  text: string,
  method: string,
  isClosed: boolean,
): { answer: RawAnswer; rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [start = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s, 2) as [string, string]))
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(start)?.[1] ?? Number.NaN)
  const after = text.slice(end + 4)
  const found = bodyOf({ after, headers, status, method, isClosed })
  if (found === undefined) return undefined
  const body = Buffer.from(found.body, 'latin1').toString('utf8')
  return { answer: { status, headers, body }, rest: found.rest }
}

interface Framed {
  readonly after: string
  readonly headers: Headers
  readonly status: number
  readonly method: string
  readonly isClosed: boolean
}

function bodyOf({
  after,
  headers,
  status,
  method,
  isClosed,
}: Framed): { body: string; rest: string } | undefined {
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return { body: '', rest: after }
  const length = headers.get('content-length')
  if (length !== null) {
    const bytes = Number(length)
    return after.length < bytes ? undefined : { body: after.slice(0, bytes), rest: after.slice(bytes) }
  }
  if (headers.get('transfer-encoding') === 'chunked') return unchunk(after)
  return isClosed ? { body: after, rest: '' } : undefined
}

function unchunk(text: string): { body: string; rest: string } | undefined {
  let body = ''
  let rest = text
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, line), 16)
    if (line === -1 || Number.isNaN(size) || rest.length < line + 4 + size) return undefined
    body += rest.slice(line + 2, line + 2 + size)
    rest = rest.slice(line + 4 + size)
    if (size === 0) return { body, rest }
  }
}
