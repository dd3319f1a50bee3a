import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Dispatcher } from 'undici'
import { parseJson } from '../../contract/json-value.ts'
import type { EncodedBody } from './decode-body.ts'

/** A reply larger than this is no answer of a language model; it would only fill our memory. */
export const MAX_REPLY_BYTES = 64 * 1024 * 1024

export interface PoolResponseOptions {
  readonly url: string
  /** Asked at the end of the reply: whether its connection was reset, which undici takes for an end. */
  wasReset(): boolean
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
  readonly #reply: Dispatcher.ResponseData
  /** The bytes, where they are not read as they come. */
  readonly #checked: AsyncIterable<Uint8Array> | undefined
  #headers: Headers | undefined
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined

  constructor(reply: Dispatcher.ResponseData, { url, wasReset }: PoolResponseOptions) {
    this.#reply = reply
    this.status = reply.statusCode
    this.statusText = reply.statusText
    this.ok = reply.statusCode >= 200 && reply.statusCode < 300
    this.url = url
    const {
      'content-encoding': encoding,
      'content-length': length,
      'transfer-encoding': pieces,
    } = reply.headers
    const endsWithConnection = length === undefined && pieces === undefined
    const body = endsWithConnection ? tellOfReset(reply.body, wasReset) : reply.body
    this.#checked =
      encoding !== undefined
        ? decode(body, [encoding].flat().join(','))
        : endsWithConnection
          ? body
          : undefined
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
    return this.#checked ?? this.#reply.body
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#body ??= Readable.toWeb(this.#checked ? Readable.from(this.#checked) : this.#reply.body)
    return this.#body
  }

  get bodyUsed(): boolean {
    return this.#reply.body.bodyUsed
  }

  text(): Promise<string> {
    return this.#checked ? readText(this.#checked) : this.#reply.body.text()
  }

  async json(): Promise<unknown> {
    return parseJson(await this.text())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.#checked) return this.#reply.body.arrayBuffer()
    const { buffer } = Uint8Array.from(await readBytes(this.#checked))
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
async function* decode(body: EncodedBody, encoding: string): AsyncGenerator<Uint8Array> {
  const { decodeBody } = await import('./decode-body.ts')
  yield* decodeBody(body, { encoding, mostBytes: MAX_REPLY_BYTES })
}

/** A connection was reset behind what had come of a reply without a length. */
class ResetError extends Error {
  override readonly name = 'ResetError'
  readonly code = 'ECONNRESET'
}

/** A body that ends with its connection. After what has come, a reset is an error. */
function tellOfReset(body: Dispatcher.ResponseData['body'], wasReset: () => boolean): EncodedBody {
  return {
    dump: () => body.dump(),
    async *[Symbol.asyncIterator]() {
      yield* body
      if (wasReset()) throw new ResetError('The connection was reset.')
    },
  }
}

async function readBytes(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

async function readText(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const piece of pieces) text += decoder.decode(piece, { stream: true })
  } catch (error) {
    if (!(error instanceof ResetError && isJson(text))) throw error
  }
  return text + decoder.decode()
}

/** Whether a text is whole JSON: then it does not matter that its connection broke behind it. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toHeaders(fields: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) headers.append(name, one)
    }
  }
  return headers
}
