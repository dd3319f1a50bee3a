import { BackendError, type BackendErrorOptions } from '../../contract/backend.ts'
import { readRetryAfter, readRetryAfterMs } from './retry-after.ts'

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

/** A body is compressed in a way that cannot be undone here. Its message goes on from the name of the server. */
export class EncodingError extends Error {
  override readonly name = 'EncodingError'
}

/** What the network threw. `sent` tells whether the request had been started to be written. */
export function connectionError(place: ErrorPlace, error: unknown, sent: boolean): BackendError {
  if (error instanceof BackendError) return error
  if (error instanceof EncodingError) {
    return new BackendError('not_json', `${at(place)} ${error.message}`, { cause: error })
  }
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
  if (NO_MODEL.test(reply.text.slice(0, MESSAGE_LENGTH))) {
    return new BackendError('no_model', `${said}: it has no model loaded.`, { status })
  }
  const retryAfterMs =
    readRetryAfterMs(reply.headers.get('retry-after-ms')) ??
    readRetryAfter(reply.headers.get('retry-after'), reply.text, reply.wallTimeMs)
  return new BackendError('status', `${said}${explain(reply, reason)}.`, {
    status,
    ...(reason && { reason }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

type Reason = NonNullable<BackendErrorOptions['reason']>

export const PLAIN: Readonly<Record<Reason, string>> = {
  bad_input: ': it cannot read the request, which will not get better by itself',
  busy: ': it is busy',
  model_unknown: ': it does not know the model',
  context_length: ': the prompt and the answer do not fit into its context',
  authentication: ': it wants an API key, and ours is missing or wrong',
}

function explain({ status, text }: StatusReply, reason: Reason | undefined): string {
  if (status === 503 && /loading model/i.test(text)) return ': it is still loading its model'
  if (reason) return PLAIN[reason]
  return status >= 300 && status < 400 ? ': redirects are not followed; use the address it points to' : ''
}

const CONTEXT_LENGTH =
  /context_length_exceeded|exceed_context_size|(?:maximum|exceeds?)\b.{0,60}\bcontext (?:length|size|window)/is

/** vLLM, Ollama and OpenRouter have no name of their own for it. */
const MODEL_UNKNOWN =
  /\bmodel\b.{0,200}(?:does not exist|doesn't exist|not found|not exist)|not a valid model|model is required/is

/** LM Studio. */
const NO_MODEL = /\bno models? (?:is |are )?(?:currently )?loaded\b/i

/** A server's message may go on with the prompt; its first words say what it is about. */
const MESSAGE_LENGTH = 600

function readReason({ status, text }: StatusReply): Reason | undefined {
  if (status === 401 || status === 403) return 'authentication'
  if (status === 429 || status === 503) return 'busy'
  const reason = reasonOf(readDetail(text))
  if (reason === 'bad_input' || (status >= 400 && status < 500)) return reason
  return undefined
}

/** The names and words a server gives to its error. */
export interface ErrorDetail {
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
}

/** What the server's own words say of the reason: names where it has names, else known sentences. */
export function reasonOf({ type, code, message }: ErrorDetail): Reason | undefined {
  if (type === 'bad_input') return 'bad_input'
  if (code === 'model_not_found' || type === 'model_not_found') return 'model_unknown'
  const words = `${code} ${type} ${typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH) : ''}`
  if (CONTEXT_LENGTH.test(words)) return 'context_length'
  return MODEL_UNKNOWN.test(words) ? 'model_unknown' : undefined
}

/**
 * `{detail: {type}}` at KoboldCPP, `{error: {type, code, message}}` at OpenAI and most others, the same fields without
 * a wrapper at older vLLM, `{error: "…"}` or a bare text at some.
 */
function readDetail(text: string): ErrorDetail {
  if (!text.startsWith('{')) return { message: text }
  try {
    return errorDetail(JSON.parse(text))
  } catch {
    return { message: text }
  }
}

export function errorDetail(reply: { [name: string]: unknown }): ErrorDetail {
  const inner = reply.error ?? reply.detail
  if (typeof inner === 'string') return { message: inner }
  return typeof inner === 'object' && inner !== null ? inner : reply
}

export const at = ({ backend, endpoint }: ErrorPlace): string => `Backend ${backend} (${endpoint})`

/** The error of a call that was told to stop. */
export const aborted = (
  place: ErrorPlace,
  stopped: BackendError['stopped'],
  partial?: string,
): BackendError =>
  new BackendError('aborted', `${at(place)} was told to stop.`, { stopped, ...(partial && { partial }) })

/** The same error, with how the server is known to have stopped. */
export function stoppedError(
  { kind, message, status, reason, cause }: BackendError,
  stopped: BackendError['stopped'],
  partial: string | undefined,
): BackendError {
  return new BackendError(kind, message, {
    stopped,
    cause,
    ...(status !== undefined && { status }),
    ...(reason && { reason }),
    ...(partial && { partial }),
  })
}
