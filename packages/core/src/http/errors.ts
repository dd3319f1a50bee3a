import { BackendError, type BackendErrorOptions } from '../backend.ts'
import { readRetryAfter } from './retry-after.ts'

/** Who was asked, for messages: a backend and the endpoint. */
export interface ErrorPlace {
  readonly backend: string
  readonly endpoint: string
}

/** Codes of Node and undici that mean: no connection, so nothing was sent. */
const CONNECT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
])

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses the connection; is it running, and is the model loaded?',
  ENOTFOUND: 'its host name is not known; check the URL',
  EAI_AGAIN: 'its host name cannot be looked up now',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time limit; check host and port',
}

/** The code of an error or of what caused it: ky, `fetch` and Node wrap the real one. */
export function errorCode(error: unknown): string | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++) {
    if ('code' in inner && typeof inner.code === 'string') return inner.code
  }
  return undefined
}

export const isRefused = (error: unknown): boolean => errorCode(error) === 'ECONNREFUSED'

/** What the network threw. `sent` tells whether the request had been started to be written. */
export function connectionError(place: ErrorPlace, error: unknown, sent: boolean): BackendError {
  if (error instanceof BackendError) return error
  const code = errorCode(error)
  if (!sent || (code !== undefined && CONNECT_CODES.has(code))) {
    const reason = (code && REASONS[code]) ?? code ?? 'the connection failed'
    return new BackendError('connect', `${at(place)} cannot be reached: ${reason}.`, { cause: error })
  }
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new BackendError('wrong_shape', `${at(place)} sent a reply larger than 64 MiB.`, { cause: error })
  }
  const message = `${at(place)} closed the connection before its answer was whole.`
  return new BackendError('disconnected', message, { cause: error })
}

export interface StatusReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly wallTimeMs: number
}

/** Any status but 2xx. The text is read for known phrases and never quoted: a server may echo the prompt. */
export function statusError(place: ErrorPlace, reply: StatusReply): BackendError {
  const { status } = reply
  const said = `${at(place)} answered with status ${status}`
  const reason = readReason(reply)
  if (reason === undefined && (status === 404 || status === 405 || status === 501)) {
    return new BackendError('endpoint_missing', `${said}: it has no such endpoint.`, { status })
  }
  const retryAfterMs = readRetryAfter(reply.headers.get('retry-after'), reply.text, reply.wallTimeMs)
  return new BackendError('status', `${said}${explain(status, reason)}.`, {
    status,
    ...(reason && { reason }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

type Reason = NonNullable<BackendErrorOptions['reason']>

const PLAIN: Readonly<Record<Reason, string>> = {
  bad_input: ': it cannot read the request, which will not get better by itself',
  busy: ': it is busy',
  model_unknown: ': it does not know the model',
  context_length: ': the prompt and the answer do not fit into its context',
  authentication: ': it wants an API key, and ours is missing or wrong',
}

function explain(status: number, reason: Reason | undefined): string {
  if (reason) return PLAIN[reason]
  return status >= 300 && status < 400 ? ': redirects are not followed; use the address it points to' : ''
}

const CONTEXT_LENGTH =
  /context_length_exceeded|exceed_context_size|(?:maximum|exceeds?)\b.{0,60}\bcontext (?:length|size|window)/is

function readReason({ status, text }: StatusReply): Reason | undefined {
  if (status === 401 || status === 403) return 'authentication'
  if (status === 429 || status === 503) return 'busy'
  const { type, code } = readDetail(text)
  if (type === 'bad_input') return 'bad_input'
  if (code === 'model_not_found' || type === 'model_not_found') return 'model_unknown'
  if (status >= 400 && status < 500 && CONTEXT_LENGTH.test(text)) return 'context_length'
  return undefined
}

/** The names a server gives to its error: `{detail: {type}}` at KoboldCPP, `{error: {type, code}}` at OpenAI. */
function readDetail(text: string): { type?: unknown; code?: unknown } {
  if (!text.startsWith('{')) return {}
  try {
    const { detail, error } = JSON.parse(text)
    return detail ?? error ?? {}
  } catch {
    return {}
  }
}

export const at = ({ backend, endpoint }: ErrorPlace): string => `Backend ${backend} (${endpoint})`
