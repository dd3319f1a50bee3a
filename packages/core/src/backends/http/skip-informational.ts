import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'

export type Connector = buildConnector.connector

/**
 * Passes over replies of the kind 1xx that nobody asked for, which a client has to (RFC 9110, 15.2): undici takes
 * `100 Continue` for a bad response and closes the connection. They are cut out of what the socket reads, between the
 * writing of a request and the head of its reply; the rest passes as it is.
 */
export function skipInformational(connect: Connector): Connector {
  return (options, callback) =>
    connect(options, (...result) => {
      const [error, socket] = result
      // HTTP/2 has its own frames for them.
      if (!error && !('alpnProtocol' in socket && socket.alpnProtocol === 'h2')) filterReads(socket)
      callback(...result)
    })
}

/** A head that is longer is left to undici, which refuses it. */
const MAX_HEAD_BYTES = 16 * 1024

/** Overrides the two methods that undici's HTTP/1 client calls: it writes a request at once, and none before its turn. */
function filterReads(socket: Socket): void {
  const { write, read } = socket
  let awaitsHead = false
  let held: Buffer | undefined
  socket.write = function (this: Socket, ...given: Parameters<typeof write>) {
    awaitsHead = true
    return write.apply(this, given)
  } as typeof write
  socket.read = function (this: Socket, size?: number) {
    if (!awaitsHead) return read.call(this, size)
    for (;;) {
      const piece: Buffer | null = read.call(this, size)
      if (piece === null) return null
      held = held ? Buffer.concat([held, piece]) : piece
      const found = findReply(held)
      if (found === undefined) continue
      const rest = held.subarray(found)
      held = undefined
      if (rest.length === 0) continue
      awaitsHead = false
      return rest
    }
  } as typeof read
}

/** Where the reply begins behind those that are none. Undefined: that cannot be told yet. */
function findReply(bytes: Buffer): number | undefined {
  let start = 0
  for (;;) {
    const line = bytes.toString('latin1', start, start + 12)
    if (line.length < 12 && INFORMATIONAL_START.startsWith(line.slice(0, 5))) {
      return line.length === 0 ? start : undefined
    }
    if (!INFORMATIONAL.test(line)) return start
    const end = bytes.indexOf('\r\n\r\n', start)
    if (end < 0) return bytes.length - start > MAX_HEAD_BYTES ? start : undefined
    start = end + 4
  }
}

const INFORMATIONAL_START = 'HTTP/'
/** 101 changes the protocol: that is an answer, and a wrong one. */
const INFORMATIONAL = /^HTTP\/1\.[01] 1(?!01)\d\d$/
