import { createHash, hash } from 'node:crypto'

/** Longer lines are refused without keeping them. */
export const MAX_LINE_BYTES = 1_048_576

export interface InputLine {
  /** From 1, empty lines counted. */
  readonly number: number
  /** Of its bytes, 52 bits as 13 hex digits: notices a changed line, and fits a number. */
  readonly hash: string
  /** Undefined: it is too long. */
  readonly bytes: Buffer | undefined
}

/** Lines of a stream, one in memory at a time. Leaves out a byte order mark, the CR of a CRLF, and empty lines. */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<InputLine> {
  const line = createLineBuffer(maxBytes)
  let number = 0
  for await (const chunk of source) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      line.add(chunk.subarray(start, end))
      start = end + 1
      const ended = line.end(++number)
      if (ended) yield ended
    }
    line.add(chunk.subarray(start))
  }
  const last = line.end(++number)
  if (last) yield last
}

const LF = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const HASH_DIGITS = 13

/** What has arrived of a line. Of one that is too long, only its hash is kept. */
function createLineBuffer(maxBytes: number) {
  let parts: Buffer[] = []
  let length = 0
  let tooLong: ReturnType<typeof createHash> | undefined
  return {
    add(part: Buffer): void {
      if (part.length === 0) return
      length += part.length
      if (tooLong) {
        tooLong.update(part)
        return
      }
      parts.push(part)
      // The last byte may be a CR, which does not count.
      if (length <= maxBytes + 1) return
      tooLong = createHash('sha256')
      for (const kept of parts) tooLong.update(kept)
      parts = []
    },
    end(number: number): InputLine | undefined {
      const digest = tooLong?.digest('hex').slice(0, HASH_DIGITS)
      const bytes = trim(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), number)
      parts = []
      length = 0
      tooLong = undefined
      if (digest !== undefined) return { number, hash: digest, bytes: undefined }
      if (isBlank(bytes)) return undefined
      return { number, hash: hash('sha256', bytes, 'hex').slice(0, HASH_DIGITS), bytes }
    },
  }
}

function trim(bytes: Buffer, number: number): Buffer {
  const start = number === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0
  return bytes.subarray(start, bytes.at(-1) === CR ? -1 : undefined)
}

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09)
