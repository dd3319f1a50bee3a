import { Agent } from 'undici'
import { DOORS, type Door } from '../gateways/doors.ts'
import type { BackendKind, Gateway, Target } from '../gateways/gateway.ts'

export interface ChatOptions {
  readonly backend: BackendKind
  /** By which the backend knows the call again. */
  readonly mark: string
  readonly maxTokens?: number
  readonly stream?: boolean
  /** JSON Schema of the answer. */
  readonly schema?: object
  readonly prompt?: string
  /** By which KoboldCPP's API knows the generation. */
  readonly genkey?: string
  readonly signal?: AbortSignal
}

/** What a caller of a gateway has seen. */
export interface Chatted {
  /** 0: no reply at all. */
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** The connection broke before the reply ended. */
  readonly isCut: boolean
}

// A caller without time limits of its own: only those of the gateway shall show.
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 0 })

/** Asks a gateway, and never rejects; after an abort it resolves with what has come. */
export async function chat(gateway: Gateway, options: ChatOptions): Promise<Chatted> {
  const { backend, mark, maxTokens = 8, stream = false, schema, prompt = 'Go on.', genkey, signal } = options
  const door: Door = DOORS[gateway.door ?? 'chat']
  const { model } = targetOf(gateway, backend)
  const body = door.body({ model, prompt: `${mark}: ${prompt}`, maxTokens, stream, schema, genkey })
  const path = (stream && door.streamPath) || door.path
  return post(gateway, { backend, path, body, signal })
}

export interface PostOptions {
  readonly backend: BackendKind
  /** After the gateway's address. */
  readonly path: string
  readonly body: object
  readonly signal?: AbortSignal | undefined
}

/** The same at any address. */
export async function post(gateway: Gateway, { backend, path, body, signal }: PostOptions): Promise<Chatted> {
  const target = targetOf(gateway, backend)
  const url = new URL(target.url ?? gateway.url)
  const seen = { status: 0, headers: {}, text: '', isCut: false }
  try {
    const reply = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname.replace(/\/+$/, '')}${path}`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer none', ...target.headers },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    })
    seen.status = reply.statusCode
    seen.headers = reply.headers
    reply.body.setEncoding('utf8')
    for await (const piece of reply.body) seen.text += piece
  } catch {
    seen.isCut = true
  }
  return seen
}

function targetOf(gateway: Gateway, backend: BackendKind): Target {
  const target = gateway.target(backend)
  if (target === undefined) throw new Error(`${gateway.name} is not set up for ${backend}`)
  return target
}

/** Whether the mark stands in the body that a backend got. */
export const holdsMark = (body: unknown, mark: string): boolean => JSON.stringify(body ?? '').includes(mark)
