import { type Clock, systemClock } from '../../contract/clock.ts'
import { check, checkCommonOptions, isText, parseAddress } from '../http/check-options.ts'
import { alpacaTemplate, type TranscriptTemplate } from '../http/transcript.ts'

/** Options of `createOpenAIBackend`. A bad value throws a `TypeError` that names it. */
export interface OpenAIBackendOptions {
  /**
   * Address of the server, in any form users write: with or without `/v1`, a trailing slash, the scheme (then http) or
   * a path prefix. `http://localhost:8080`, `http://localhost:11434/v1` or `https://openrouter.ai/api/v1`, for instance.
   */
  url: string
  /** Names the backend in outcomes, logs and events. Default `openai`. */
  name?: string
  /** Sent as `Authorization: Bearer …`. */
  apiKey?: string
  /** Sent as `model` where an event names none. Default: the only one the server has, where it has one. */
  model?: string
  /**
   * The models to offer, instead of all that `/v1/models` lists: hosted services list hundreds. Default: what the
   * server says.
   */
  models?: readonly string[]
  /** Source of time. Default: the machine's. */
  clock?: Clock
  /** Sends the requests instead of the built-in connection pool: for msw and tests. Not closed by the backend. */
  fetch?: typeof globalThis.fetch
  /** How long a connection may take, in milliseconds. Default 5,000. Not used with a `fetch` of your own. */
  connectTimeoutMs?: number
  /**
   * Longest pause between two tokens of a stream, in milliseconds; then the call is closed. Default 60,000. The time
   * to the first token, and a whole answer, have no limit but the event's own.
   */
  tokenTimeoutMs?: number
  /** How a conversation is written for `/v1/completions`, which takes one text. Default: Alpaca's tags. */
  template?: TranscriptTemplate
}

type Optional = 'apiKey' | 'model' | 'models' | 'fetch'

export type OpenAISettings = Required<Omit<OpenAIBackendOptions, Optional | 'url'>> &
  Pick<OpenAIBackendOptions, Optional> & { root: ApiRoot }

/** The options with all defaults; throws a `TypeError` that names a bad one and never shows a key. */
export function resolveOpenAIOptions(options: OpenAIBackendOptions): OpenAISettings {
  if (typeof options !== 'object' || options === null) throw new TypeError('the options must be an object')
  const {
    url,
    name = 'openai',
    clock = systemClock,
    connectTimeoutMs = 5000,
    tokenTimeoutMs = 60_000,
    template = alpacaTemplate,
    apiKey,
    model,
    models,
    fetch,
  } = options
  const times = { connectTimeoutMs, tokenTimeoutMs }
  checkCommonOptions({ name, apiKey, model, fetch, clock, template, times })
  check(
    models === undefined || (Array.isArray(models) && models.length > 0 && models.every(isText)),
    'models must be a list of at least one name',
  )
  return {
    root: readApiRoot(url),
    name,
    clock,
    template,
    ...times,
    ...(apiKey !== undefined && { apiKey }),
    ...(model !== undefined && { model }),
    ...(models && { models: [...models] }),
    ...(fetch && { fetch }),
  }
}

/** Where the paths of an OpenAI-compatible server lie. */
export interface ApiRoot {
  /** Scheme, host, port and path prefix, without a slash at the end: what lies beside the API. */
  readonly server: string
  /** What comes before `/chat/completions`; `/v1` nearly everywhere. */
  readonly api: string
}

/** The endpoints themselves, as users copy them. */
const KNOWN_ENDS = /\/(?:chat\/completions|completions|models)$/

/** `/v1`, `/v4`, and what Google calls `/v1beta/openai`. */
const VERSION = /\/v\d[^/]*(?:\/.*)?$/

/**
 * Reads the address in any form users write: with or without `/v1`, a trailing slash, the scheme or the endpoint.
 * A path that names another version is taken as it is; one that names none gets `/v1`. Throws a `TypeError`.
 */
export function readApiRoot(value: unknown): ApiRoot {
  const url = parseAddress(value, 'http://localhost:8080/v1')
  if (url.search) throw new TypeError('url must not hold a query; give the address up to /v1')
  const path = url.pathname.replace(/\/+$/, '').replace(KNOWN_ENDS, '')
  const api = VERSION.exec(path)?.[0]
  return api === undefined
    ? { server: url.origin + path, api: '/v1' }
    : { server: url.origin + path.slice(0, -api.length), api }
}
