import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Failure } from '@ai-ticket/core'
import { replyToFailure } from '../http/reply.ts'

const FAILURES_OF_NODE: Readonly<Record<string, Failure>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request_timeout',
    details: 'The request did not arrive in time. Send it again, faster.',
  },
  HPE_HEADER_OVERFLOW: {
    code: 'header_too_large',
    details: 'The headers are larger than 16 KiB. Send fewer.',
  },
}

const MALFORMED: Failure = { code: 'invalid_request', details: 'This is not a valid HTTP request.' }

/**
 * Answers what never became a request (malformed, too slow, headers too large) in the same shape as everything else.
 * Nothing is written into a reply that has begun.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (answered.has(socket)) return
  if (error.code === 'ECONNRESET' || !socket.writable || currentResponse(socket)?.headersSent) {
    socket.destroy(error)
    return
  }
  answerRaw(socket, FAILURES_OF_NODE[error.code ?? ''] ?? MALFORMED)
}

/** Without this, Node answers CONNECT by closing the connection without a word. */
export function refuseTunnel(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  answerRaw(socket, NO_PROXY)
}

const NO_PROXY: Failure = {
  code: 'invalid_request',
  details: 'This server is not a proxy and opens no tunnels. Send the request itself.',
}

function answerRaw(socket: Duplex, failure: Failure): void {
  answered.add(socket)
  socket.end(rawReply(failure))
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

/** Closing at once, with bytes of the client still unread, would reset the connection and take the answer with it. */
const LINGER_MS = 1_000

/** Every further chunk of a broken request is an error again. */
const answered = new WeakSet<Duplex>()

function rawReply(failure: Failure): string {
  const { status, headers, body } = replyToFailure(failure)
  const text = JSON.stringify(body)
  const lines = {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'x-request-id': randomUUID(),
    connection: 'close',
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${text}`
}

/**
 * The response that a connection is busy with; undefined between requests and while the headers of one still arrive.
 * Node has no public name for it, and reads this field in its own handler of client errors.
 */
export function currentResponse(socket: Socket): ServerResponse | undefined {
  const { _httpMessage: response } = socket as Socket & { readonly _httpMessage?: ServerResponse | null }
  return response ?? undefined
}
