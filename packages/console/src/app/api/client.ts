import { apiRoot } from './addresses.ts'
import { keyHeader, refuseKey } from './key.ts'

/** Why there is no answer, in the server's words where it gave any. */
export interface Problem {
  /** 0: the server could not be reached. */
  readonly status: number
  readonly code: string
  readonly details: string
  /** When to come back, in milliseconds, where the server says. */
  readonly retryAfterMs?: number
}

export type Answer<Value> =
  | { readonly ok: true; readonly status: number; readonly value: Value }
  | { readonly ok: false; readonly problem: Problem }

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

let aheadMs = 0

/** The time by the clock of the server, which the clock of the reader may be minutes from. */
export const serverNow = (): number => Date.now() - aheadMs

/**
 * Asks the API, with the key of this tab. Failures come back as values; only the caller's own abort throws. A 401 forgets
 * the key and opens the dialog that asks for one.
 */
export async function ask<Value>(
  path: string,
  { method = 'GET', body, headers, signal }: Ask = {},
): Promise<Answer<Value>> {
  try {
    const key = keyHeader()
    const response = await send(
      path,
      { method, body, ...(headers && { headers }), ...(signal && { signal }) },
      key,
    )
    const ahead = Date.now() - Date.parse(`${response.headers.get('date')}`)
    // It tells whole seconds: what is less is no difference.
    aheadMs = Math.abs(ahead) > 2_000 ? ahead : 0
    if (!response.ok) return { ok: false, problem: await problemOf(response, key) }
    return { ok: true, status: response.status, value: (await response.json()) as Value }
  } catch (error) {
    if (signal?.aborted) throw error
    return { ok: false, problem: UNREACHABLE }
  }
}

interface StreamOptions {
  readonly signal: AbortSignal
  readonly headers?: Record<string, string>
  /** Given: it is posted. */
  readonly body?: object
}

/** The same for an answer that is read as it comes. */
export async function openStream(
  path: string,
  { signal, headers, body }: StreamOptions,
): Promise<Answer<ReadableStream<Uint8Array>>> {
  try {
    const key = keyHeader()
    const response = await fetch(addressOf(path), {
      headers: {
        accept: 'text/event-stream',
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
        ...key,
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      cache: 'no-store',
      credentials: 'omit',
      signal,
    })
    if (!response.ok || response.body === null) return { ok: false, problem: await problemOf(response, key) }
    return { ok: true, status: response.status, value: response.body }
  } catch (error) {
    if (signal.aborted) throw error
    return { ok: false, problem: UNREACHABLE }
  }
}

const addressOf = (path: string): string => `${apiRoot}${path.replace(/^\//, '')}`

function send(
  path: string,
  { method = 'GET', body, headers, signal }: Ask,
  key: Record<string, string>,
): Promise<Response> {
  return fetch(addressOf(path), {
    method,
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
      ...key,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal && { signal }),
    cache: 'no-store',
    credentials: 'omit',
  })
}

async function problemOf(response: Response, key: Record<string, string>): Promise<Problem> {
  const { status } = response
  if (status === 401) void refuseKey(key.authorization)
  // A proxy may answer with a page of its own: then its status is all there is to show.
  const said: unknown = await response.json().catch(() => undefined)
  const { error, details } = typeof said === 'object' && said !== null ? (said as Partial<Said>) : {}
  const seconds = Number(response.headers.get('retry-after'))
  return {
    status,
    code: typeof error === 'string' ? error : `http_${status}`,
    details: typeof details === 'string' ? details : `The server answered with status ${status}.`,
    ...(seconds > 0 && { retryAfterMs: seconds * 1_000 }),
  }
}

interface Said {
  readonly error: unknown
  readonly details: unknown
}

const UNREACHABLE: Problem = {
  status: 0,
  code: 'unreachable',
  details: 'The server does not answer at this address. It may be stopped, or restarting.',
}
