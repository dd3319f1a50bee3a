import { pipeline, type Transform, Writable } from 'node:stream'
import { pipeline as pump } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { EncodingError, ResetError } from './errors.ts'

/**
 * The bytes of a body that a proxy compressed though nobody asked for it, piece by piece. More than `mostBytes` of them
 * are an error like that of a reply that is as large without compression.
 */
export async function* decodeBody(
  body: AsyncIterable<Uint8Array>,
  { encoding, mostBytes }: { readonly encoding: string; readonly mostBytes: number },
): AsyncGenerator<Uint8Array> {
  const names = encoding.split(',').map((name) => name.trim().toLowerCase())
  let bytes: AsyncIterable<Uint8Array> = body
  for (const name of names.reverse()) bytes = decode(bytes, name)
  let size = 0
  for await (const piece of bytes) {
    size += piece.length
    if (size > mostBytes) throw new TooLargeError('The reply is too large.')
    yield piece
  }
}

/**
 * A reply that begins as JSON, as a stream or as a page is not compressed, whatever its header says: it may name a
 * character set, or what a proxy has undone. No compressed body begins with so many printable characters.
 */
const isPlain = (start: Uint8Array): boolean =>
  PLAIN.test(Buffer.from(start.buffer, start.byteOffset, start.byteLength).toString('latin1', 0, 32))

const PLAIN = /^(?:\xef\xbb\xbf)?\s*(?:[{[<:]|data:|event:|id:|retry:)[\t\r\n\x20-\x7e]{14}/

/** Words that some programs write where a compression belongs. */
const NO_COMPRESSION =
  /^(?:none|off|no|null|utf-?8|ascii|us-ascii|iso-8859-\d+|binary|7bit|8bit|text|plain|aws-chunked)$/

/** A header may hold anything. */
const nameOf = (encoding: string) => (/^[\w-]{1,20}$/.test(encoding) ? encoding : 'in an unknown way')

class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
  /** undici's for a reply that is too large as it comes. */
  readonly code = 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
}

interface Decoder {
  /** Undefined: it does not begin so, and is not compressed at all: a proxy unpacked it and left the header. */
  open(first: number, how: 'lenient' | 'strict'): Transform | undefined
}

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants
/** As browsers do: what a body that was cut off holds is handed on. A strict decoder fails there. */
const optionsFor = (how: 'lenient' | 'strict', flush: number) =>
  how === 'strict' ? {} : { flush, finishFlush: flush }

const gzip: Decoder = {
  open: (first, how) => (first === 0x1f ? zlib.createGunzip(optionsFor(how, Z_SYNC_FLUSH)) : undefined),
}
const deflate: Decoder = {
  // Some servers leave out the head that the standard wants.
  open: (first, how) =>
    (first & 0x0f) === 0x08
      ? zlib.createInflate(optionsFor(how, Z_SYNC_FLUSH))
      : zlib.createInflateRaw(optionsFor(how, Z_SYNC_FLUSH)),
}

const DECODERS: Readonly<Record<string, Decoder>> = {
  identity: { open: () => undefined },
  '': { open: () => undefined },
  gzip,
  'x-gzip': gzip,
  deflate,
  br: {
    open: (_, how) => zlib.createBrotliDecompress(optionsFor(how, BROTLI_OPERATION_FLUSH)),
  },
  zstd: {
    open: (first, how) =>
      first === 0x28 ? zlib.createZstdDecompress(optionsFor(how, ZSTD_e_flush)) : undefined,
  },
}

async function* decode(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const pieces = bytes[Symbol.asyncIterator]()
  let first = await pieces.next()
  while (!first.done && first.value.length === 0) first = await pieces.next()
  if (first.done) return
  const { value } = first
  if (!(name in DECODERS || NO_COMPRESSION.test(name) || isPlain(value))) {
    await pieces.return?.()
    throw new EncodingError(
      `compressed its reply (${nameOf(name)}), which the desk cannot read: switch that compression off in the server or in the proxy before it.`,
    )
  }
  let broken: { readonly reason: unknown } | undefined
  const read: Uint8Array[] = []
  // Where the connection breaks, what had come is unpacked first: it may be all of an answer.
  const whole = (async function* () {
    yield value
    read.push(value)
    try {
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
        yield next.value
        read.push(next.value)
      }
    } catch (reason) {
      broken = { reason }
    }
  })()
  const open = (how: 'lenient' | 'strict') =>
    isPlain(value) ? undefined : DECODERS[name]?.open(value[0] ?? 0, how)
  const decoder = open('lenient')
  try {
    // Its errors come out of the decoder that is read.
    yield* decoder ? pipeline(whole, decoder, () => {}) : whole
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error && 'code' in error && CORRUPT.test(`${error.code}`)))
      throw error
    throw new EncodingError(
      `sent a reply that is no ${name}, though it says so: look at the compression of the server or of the proxy before it.`,
      { cause: error },
    )
  }
  if (broken) throw broken.reason
  const judge = open('strict')
  if (judge && !(await isComplete(read, judge))) throw new ResetError()
}

/**
 * A clean end of the connection is none within what was compressed: the server died, and a proxy went on. Only a strict
 * decoder says so, and it would lose what it holds then, so it comes after the other one.
 */
async function isComplete(bytes: readonly Uint8Array[], judge: Transform): Promise<boolean> {
  const nowhere = new Writable({ write: (_piece, _encoding, done) => done() })
  return pump(bytes, judge, nowhere).then(
    () => true,
    () => false,
  )
}

/** Codes of zlib, brotli and zstd. */
const CORRUPT = /^(?:Z_|ERR__|ERR_BROTLI|ZSTD_)/
