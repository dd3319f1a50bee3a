import { BackendError } from '../../contract/backend.ts'
import { LONGEST_RETRY_AFTER_MS } from '../../contract/failure.ts'
import { OTHER_NAMES, SAMPLER_NAMES } from '../../contract/prompt.ts'
import { readRetryAfter, readRetryAfterMs } from './retry-after.ts'
import { MESSAGE_LENGTH, type Reason, reasonInWords } from './server-words.ts'

/** The backend and the endpoint that were asked, for messages. */
export interface ErrorPlace {
  readonly backend: string
  readonly endpoint: string
}

/**
 * Codes that tell of the network or of the server: errno names, DNS, TLS and certificates, and undici's own names for
 * them. All other codes of Node and undici blame the request that we made, such as a header that cannot be written.
 */
const NETWORK_CODE =
  /^(?:E[A-Z]+\d*|EAI_[A-Z]+|ERR_(?:SSL|TLS)_\w+|(?:CERT|CRL|UNABLE|SELF_SIGNED|DEPTH_ZERO|HOSTNAME|INVALID_CA|PATH_LENGTH|ERROR_IN)_\w+|UND_ERR_(?:CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET|INFO|CLOSED|DESTROYED|ABORTED|RES_EXCEEDED_MAX_SIZE|RESPONSE|HEADERS_OVERFLOW)|HPE_\w+)$/

/** Codes that blame the request even where some of it was written. */
const REQUEST_CODE =
  /^(?:UND_ERR_(?:INVALID_ARG|NOT_SUPPORTED|REQ_\w+)|ERR_(?:HTTP_)?INVALID_\w+|ERR_UNESCAPED_\w+)$/

/** Whether our own request is at fault: the server had no part in it, so its state says nothing of it. */
function isOurFault(error: unknown, code: string | undefined, sent: boolean): boolean {
  if (sent) return code !== undefined && REQUEST_CODE.test(code)
  if (code !== undefined) return !NETWORK_CODE.test(code)
  return error instanceof TypeError || error instanceof RangeError
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
  ECONNREFUSED: 'it refuses the connection. Start it, load its model, or correct its URL',
  ENOTFOUND: 'its host name is not known; check the URL',
  EAI_AGAIN: 'its host name cannot be looked up now',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time limit; check host and port',
}

/** A server that speaks plain HTTP answers the start of TLS with what is no TLS. */
const NO_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST)$/
const UNVERIFIED =
  /^(?:CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|ERR_TLS_CERT_\w+)$/

/** A fault in TLS there, which no repeat mends. */
function tlsProblem(code: string): string | undefined {
  if (NO_TLS.test(code)) return 'it does not speak TLS on this port; use http:// in its URL'
  if (!UNVERIFIED.test(code)) return undefined
  return `its certificate cannot be verified (${code}); name its authority in NODE_EXTRA_CA_CERTS, or use http://`
}

/** The code of an error or of what caused it: ky, `fetch` and Node wrap the real one. */
function errorCode(error: unknown): string | undefined {
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

/** A reply broke off where its framing does not tell: behind a reset, or within what was compressed. */
export class ResetError extends Error {
  override readonly name = 'ResetError'
  readonly code = 'ECONNRESET'

  constructor() {
    super('The connection broke within the reply.')
  }
}

/** What the network threw. `sent` tells whether the request had been started to be written. */
export function connectionError(place: ErrorPlace, error: unknown, sent: boolean): BackendError {
  if (error instanceof BackendError) return error
  if (error instanceof EncodingError) {
    return new BackendError('not_json', `${at(place)} ${error.message}`, { cause: error })
  }
  const code = errorCode(error)
  if (isOurFault(error, code, sent)) {
    const message = `${at(place)} was not asked: a header or the body of the request cannot be written (${code ?? 'TypeError'}).`
    return new BackendError('unsendable', message, { cause: error })
  }
  if (!sent || (code !== undefined && CONNECT_CODES.has(code))) {
    const tls = code === undefined ? undefined : tlsProblem(code)
    const reason = tls ?? (code && REASONS[code]) ?? code ?? 'the connection failed'
    const message = `${at(place)} cannot be reached: ${reason}.`
    return new BackendError('connect', message, { cause: error, ...(tls && { reason: 'tls' as const }) })
  }
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new BackendError('wrong_shape', `${at(place)} sent a reply larger than 64 MiB.`, { cause: error })
  }
  const isNoHttp = code === 'UND_ERR_HEADERS_OVERFLOW' || (error instanceof Error && error.name === NO_HTTP)
  const what = isNoHttp
    ? 'sent a head that is no HTTP; check scheme and port of its URL'
    : 'closed the connection before its answer was whole'
  return new BackendError('disconnected', `${at(place)} ${what}.`, { cause: error })
}

/** undici's, without a code. */
const NO_HTTP = 'HTTPParserError'

export interface StatusReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly wallTimeMs: number
}

/** So many characters of what a server said go to the log at `debug`. */
export const MOST_WORDS = 600

/** Any status but 2xx. The text is read for known phrases and never quoted: a server may echo the prompt. */
export function statusError(place: ErrorPlace, reply: StatusReply): BackendError {
  const { status } = reply
  const words = reply.text.slice(0, MOST_WORDS)
  const said = `${at(place)} answered with status ${status}`
  const reason = readReason(reply)
  if (reason === undefined && (status === 404 || status === 405 || status === 501)) {
    return new BackendError('endpoint_missing', `${said}: it has no such endpoint.`, { status, words })
  }
  if (NO_MODEL.test(`${readDetail(reply.text).message}`)) {
    return new BackendError('no_model', `${said}: it has no model loaded.`, { status, words })
  }
  const longestMs = LONGEST_RETRY_AFTER_MS.backend
  const retryAfterMs =
    readRetryAfterMs(reply.headers.get('retry-after-ms'), longestMs) ??
    readRetryAfter(reply.headers.get('retry-after'), reply.text, { wallTimeMs: reply.wallTimeMs, longestMs })
  return new BackendError('status', `${said}${explain(reply, reason)}.`, {
    status,
    words,
    ...(reason && { reason }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

export const PLAIN: Readonly<Record<Reason, string>> = {
  option: ': it does not take an option of the request',
  tls: '',
  runtime: '',
  bad_input: ': it cannot read the request, so repeating it does not help',
  template:
    ': its chat template refuses the roles of the conversation; use another template or join the turns',
  model_gone: ': its model was unloaded or has crashed; load it again',
  busy: ': it is busy',
  model_unknown: ': it does not know the model',
  context_length: ': the prompt and the answer do not fit into its context',
  authentication: ': it wants an API key, and ours is missing or wrong',
}

function explain({ status, text }: StatusReply, reason: Reason | undefined): string {
  if (reason === 'busy' && /\bloading\b/i.test(text)) return ': it is still loading its model'
  if (reason === 'option') return `: it does not take \`${optionIn(readDetail(text), status)}\``
  if (reason === 'bad_input' && status === 403) return ': it refuses what the request says (moderation)'
  if (reason) return PLAIN[reason]
  const meaning = MEANINGS[status]
  if (meaning !== undefined) return meaning
  return status >= 300 && status < 400 ? ': redirects are not followed; use the address it points to' : ''
}

/** What Anthropic and gateways answer when there is no room; HTTP does not know it. */
const OVERLOADED = 529

/** What these mean nearly everywhere, and who can mend it. */
const MEANINGS: Readonly<Record<number, string>> = {
  304: ': it sent nothing; look at the proxy before it',
  402: ': its account has no credit left',
  413: ': the request is larger than it, or a proxy before it, takes (nginx: client_max_body_size)',
}

/** LM Studio. Its whole sentence: a server that refuses a request may repeat what the caller wrote in a longer one. */
const NO_MODEL =
  /^\W*(?:error\W+)?no models? (?:is |are )?(?:currently )?loaded\W*(?:please load a model(?: in the developer page)?(?: or use the .?lms load.? command)?\W*)?$/i

/** A 403 that is about one request and not about our key: OpenRouter and others moderate what they are sent. */
const MODERATED = /moderat|flagged|content.?polic|safety|usage.?polic/i

function readReason({ status, headers, text }: StatusReply): Reason | undefined {
  if (status === 403 && MODERATED.test(text.slice(0, MESSAGE_LENGTH))) return 'bad_input'
  if (status === 401 || status === 403) return 'authentication'
  if (status === 429 || status === OVERLOADED) return 'busy'
  const detail = readDetail(text)
  const reason = reasonOf(detail, status)
  // A 503 is a full server where it says so, tells when to come back, or says nothing at all. TabbyAPI answers 503 to
  // any generation that failed, which waiting does not mend.
  if (status === 503) {
    if (reason === 'context_length') return reason
    const saysNothing = !/[a-z]{3}/i.test([detail.type, detail.code, detail.message].join(' '))
    return reason === 'busy' || headers.has('retry-after') || saysNothing ? 'busy' : undefined
  }
  return reason
}

/** The names and words a server gives to its error. */
export interface ErrorDetail {
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
  /** The field of the request that is at fault. */
  readonly param?: unknown
}

/** What the server's own words say of the reason: names where it has names, else what its sentence shares with others. */
function reasonOf({ type, code, message, param }: ErrorDetail, status = 200): Reason | undefined {
  if (type === 'bad_input') return 'bad_input'
  const words = `${code} ${type} ${typeof message === 'string' ? message : ''}`
  return reasonInWords(words, status) ?? (optionIn({ param, message }, status) ? 'option' : undefined)
}

/** A status of HTTP that tells of an error, as a number or as its digits. */
export const isErrorStatus = (value: unknown): boolean =>
  (typeof value === 'number' || typeof value === 'string') && /^[45]\d\d$/.test(`${value}`)

/** Names of errors that stand for a status where a server reports them with 200. */
const BUSY_NAME =
  /^(?:429|529|rate_?limit\w*|overloaded\w*|too_many_requests|resource_exhausted|service_unavailable)$/i
const KEY_NAME =
  /^(?:401|403|authentication\w*|invalid_api_key|unauthori[sz]ed|unauthenticated|permission\w*)$/i

/** The reason of an error with status 200: one that its words give, or that its own code or type stands for. */
export function reasonOfReported(detail: ErrorDetail): Reason | undefined {
  const named = (names: RegExp) => [detail.code, detail.type].some((name) => names.test(`${name}`))
  if (named(KEY_NAME)) return 'authentication'
  const isBusy = named(BUSY_NAME) || (`${detail.code}` === '503' && reasonOf(detail, 503) === 'busy')
  return isBusy ? 'busy' : reasonOf(detail)
}

/** Ours, by the names that servers know them by. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...['frequency_penalty', 'logit_bias', 'logprobs', 'max_completion_tokens', 'max_tokens', 'messages'],
  ...['min_p', 'n', 'presence_penalty', 'prompt', 'repetition_penalty', 'response_format', 'seed', 'stop'],
  ...['stream_options', 'temperature', 'tool_choice', 'tools', 'top_k', 'top_p', 'min_tokens'],
  ...['parallel_tool_calls', 'chat_template_kwargs', ...SAMPLER_NAMES, ...Object.keys(OTHER_NAMES)],
])

/** The option that a server does not take: its `param`, or a name between back-ticks or quotes. */
function optionIn(
  { param, message }: Pick<ErrorDetail, 'param' | 'message'>,
  status: number,
): string | undefined {
  if (status !== 400 && status !== 422) return undefined
  if (typeof param === 'string' && OPTIONS.has(param)) return param
  const named =
    typeof message === 'string' ? /[`'"](\w+)[`'"]/.exec(message.slice(0, MESSAGE_LENGTH))?.[1] : undefined
  return named !== undefined && OPTIONS.has(named) ? named : undefined
}

/**
 * `{detail: {type}}` at KoboldCPP, `{error: {type, code, message}}` at OpenAI and most others, the same fields without
 * a wrapper at older vLLM, `{error: "…"}` or a bare text at some, and a list of `{loc, msg}` where pydantic checks.
 * Servers that had promised a stream write the same as its one event.
 */
function readDetail(given: string): ErrorDetail {
  const text = given.replace(EVENT_START, '')
  if (!/^\s*[[{]/.test(text)) return { message: text }
  try {
    return errorDetail(JSON.parse(text))
  } catch {
    return { message: text }
  }
}

const EVENT_START = /^(?:event: ?\w+\s+)?(?:data|error): ?/

/** Gateways pack the error of another server into one of their own: names come from the innermost that has words. */
export function errorDetail(reply: { readonly [name: string]: unknown }): ErrorDetail {
  let inner = reply
  for (let depth = 0; depth < DEEPEST; depth++) {
    const next = [inner.error, inner.detail, inner.message].find(isRecord)
    if (!next) break
    inner = next
  }
  const { type, code, param } = inner
  return { type, code, param, message: wordsIn(reply) }
}

const DEEPEST = 4

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Where the words of an error stand, the best first. Other fields may hold the prompt. */
const WORD_FIELDS = ['message', 'msg', 'error', 'detail', 'details', 'errors'] as const

function wordsIn(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value
  if (depth > DEEPEST) return ''
  if (Array.isArray(value)) {
    const all = value.slice(0, 10).map((one) => wordsIn(one, depth + 1))
    return all.filter((words) => words !== '').join(' ')
  }
  if (!isRecord(value)) return ''
  for (const field of WORD_FIELDS) {
    const words = wordsIn(value[field], depth + 1)
    if (words !== '') return words
  }
  return ''
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
  { kind, message, status, reason, words, cause }: BackendError,
  { stopped, stoppedAfterMs }: Pick<BackendError, 'stopped' | 'stoppedAfterMs'>,
  partial: string | undefined,
): BackendError {
  return new BackendError(kind, message, {
    stopped,
    cause,
    ...(stoppedAfterMs !== undefined && { stoppedAfterMs }),
    ...(status !== undefined && { status }),
    ...(reason && { reason }),
    ...(words && { words }),
    ...(partial && { partial }),
  })
}
