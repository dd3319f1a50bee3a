import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Dispatcher } from 'undici'
import { parseJson } from '../../contract/json-value.ts'

/** A reply larger than this is no answer of a language model; it would only fill our memory. */
export const MAX_REPLY_BYTES = 64 * 1024 * 1024

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface PoolReply {
  readonly statusCode: number
  readonly statusText: string
  readonly headers: ReplyHeaders
  readonly body: PoolBody
}

/** So many bytes are held for a reader that is slow; then the server has to wait. */
const MOST_HELD_BYTES = 64 * 1024

/** Ends a reply that is not read to its end: undici closes the connection. */
const LEFT = new Error('The reply was not read to its end.')

/** The body of a reply: read once, as a whole or piece by piece. */
export class PoolBody implements AsyncIterable<Uint8Array> {
  readonly #controller: Pick<Dispatcher.DispatchController, 'pause' | 'resume' | 'abort'>
  #pieces: Buffer[] = []
  #heldBytes = 0
  #isRead = false
  #isWhole = false
  #isEnded = false
  #error: Error | undefined
  /** Wakes who waits: for the next piece, or, where the whole is wanted, for the end. */
  #wake: (() => void) | undefined

  constructor(controller: Pick<Dispatcher.DispatchController, 'pause' | 'resume' | 'abort'>) {
    this.#controller = controller
  }

  get isRead(): boolean {
    return this.#isRead
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    if (this.#isWhole) return
    this.#heldBytes += piece.length
    if (this.#heldBytes > MOST_HELD_BYTES) this.#controller.pause()
    this.#wake?.()
  }

  end(error?: Error): void {
    this.#isEnded = true
    this.#error = error
    this.#wake?.()
  }

  /** All bytes, once the reply has ended. Rejects if it broke off. */
  whole(): Promise<Buffer> {
    this.#take()
    this.#isWhole = true
    return new Promise((resolve, reject) => {
      const settle = () => (this.#error ? reject(this.#error) : resolve(joined(this.#pieces)))
      if (this.#isEnded) return settle()
      this.#wake = settle
      this.#controller.resume()
    })
  }

  async text(charset?: string): Promise<string> {
    try {
      return toText(await this.whole(), charset)
    } catch (error) {
      return jsonBefore(error, this.#pieces)
    }
  }

  /** A reader that stops before the end closes the connection. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.#take()
    try {
      for (;;) {
        const pieces = this.#pieces
        this.#pieces = []
        for (const piece of pieces) yield piece
        if (this.#pieces.length > 0) continue
        if (this.#error) throw this.#error
        if (this.#isEnded) return
        // Before the server may go on: what undici holds comes at once.
        const more = new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#heldBytes = 0
        this.#controller.resume()
        await more
      }
    } finally {
      this.leave()
    }
  }

  /** The body will not be read to its end. */
  leave(): void {
    if (!this.#isEnded) this.#controller.abort(LEFT)
  }

  #take(): void {
    if (this.#isRead) throw new TypeError('The body of a reply is read once.')
    this.#isRead = true
  }
}

const joined = (pieces: Buffer[]): Buffer =>
  pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)

/** `charset`: one that its server names; it counts where the bytes are no UTF-8, for many name a wrong one. */
function toText(bytes: Buffer, charset?: string): string {
  if (charset !== undefined && (/^utf-?(?:16|32)/.test(charset) || !isUtf8(bytes))) {
    try {
      return new TextDecoder(charset).decode(bytes)
    } catch {
      // No decoder has that name.
    }
  }
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', hasMark ? 3 : 0)
}

/** Another one than UTF-8, which is what JSON is written in. */
function charsetIn(contentType: string | null): string | undefined {
  const name = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase()
  return name === undefined || /^utf-?8$/.test(name) ? undefined : name
}

/** How undici and Node say that a connection ended before its reply did. */
const CUT_OFF = /^(?:UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|HPE_INVALID_EOF_STATE|ECONNRESET)$/

/** The text that had come before an error, where it is whole JSON and nothing but the end of its connection was wrong. */
function jsonBefore(error: unknown, pieces: readonly Uint8Array[]): string {
  const isCutOff = error instanceof Error && 'code' in error && CUT_OFF.test(`${error.code}`)
  const text = isCutOff ? toText(Buffer.concat(pieces)) : ''
  if (!text.trimStart().startsWith('{') || !isJson(text)) throw error
  return text
}

/** Whether a text is whole JSON, whatever came behind it. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * A `Response` over undici's reply that makes nothing it is not asked for: text is read straight from the socket,
 * headers and the web stream are built at first use.
 */
export class PoolResponse implements Response {
  readonly ok: boolean
  readonly status: number
  readonly statusText: string
  readonly url: string
  readonly redirected = false
  readonly type = 'default'
  // ky recognises a response that is not the global one by this tag.
  readonly [Symbol.toStringTag] = 'Response'
  readonly #reply: PoolReply
  /** Bytes that were compressed without being asked for, as they were before. */
  readonly #decoded: AsyncIterable<Uint8Array> | undefined
  #headers: Headers | undefined
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined

  constructor(reply: PoolReply, url: string) {
    this.#reply = reply
    this.status = reply.statusCode
    this.statusText = reply.statusText
    this.ok = reply.statusCode >= 200 && reply.statusCode < 300
    this.url = url
    const encoding = reply.headers['content-encoding']
    if (encoding !== undefined) this.#decoded = decode(reply, [encoding].flat().join(','))
  }

  get contentType(): string | null {
    return [this.#reply.headers['content-type'] ?? []].flat()[0] ?? null
  }

  get headers(): Headers {
    this.#headers ??= toHeaders(this.#reply.headers)
    return this.#headers
  }

  /** The bytes as they come, without a web stream around them. */
  get chunks(): AsyncIterable<Uint8Array> {
    return this.#decoded ?? this.#reply.body
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#body ??= Readable.toWeb(Readable.from(this.chunks))
    return this.#body
  }

  get bodyUsed(): boolean {
    return this.#reply.body.isRead
  }

  text(): Promise<string> {
    const charset = charsetIn(this.contentType)
    return this.#decoded ? readText(this.#decoded, charset) : this.#reply.body.text(charset)
  }

  async json(): Promise<unknown> {
    return parseJson(await this.text())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer } = Uint8Array.from(
      await (this.#decoded ? readBytes(this.#decoded) : this.#reply.body.whole()),
    )
    return buffer
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.arrayBuffer())
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.arrayBuffer()])
  }

  formData(): Promise<FormData> {
    return Promise.reject(new TypeError('A reply of a backend is not read as form data.'))
  }

  clone(): Response {
    throw new TypeError('A reply of a backend is read once; it has no clone.')
  }
}

/** The bytes of any response, the cheapest way. */
export function responseChunks(response: Response): AsyncIterable<Uint8Array> | null {
  return response instanceof PoolResponse ? response.chunks : response.body
}

/** What any response says that it is; a pooled one makes no headers for it. */
export function contentTypeOf(response: Response): string | null {
  return response instanceof PoolResponse ? response.contentType : response.headers.get('content-type')
}

/** Made at the first read: nearly no reply needs it. */
async function* decode({ body }: PoolReply, encoding: string): AsyncGenerator<Uint8Array> {
  const { decodeBody } = await import('./decode-body.ts')
  yield* decodeBody(body, { encoding, mostBytes: MAX_REPLY_BYTES })
}

async function readBytes(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

async function readText(pieces: AsyncIterable<Uint8Array>, charset?: string): Promise<string> {
  const all: Uint8Array[] = []
  try {
    for await (const piece of pieces) all.push(piece)
  } catch (error) {
    return jsonBefore(error, all)
  }
  return toText(Buffer.concat(all), charset)
}

function toHeaders(fields: ReplyHeaders): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) headers.append(name, one)
    }
  }
  return headers
}
