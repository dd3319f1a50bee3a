import { type Clock, systemClock } from '../../contract/clock.ts'
import { type Logger, silentLogger } from '../../contract/logger.ts'
import { check, checkCommonOptions, parseAddress } from '../http/check-options.ts'
import { alpacaTemplate, type TranscriptTemplate } from '../http/transcript.ts'

/** Options of `createKoboldBackend`. A bad value throws a `TypeError` that names it. */
export interface KoboldBackendOptions {
  /**
   * Address of the KoboldCPP server, in any form users write: with or without `/api`, `/v1`, a trailing slash, the
   * scheme (then http) or a path prefix. `http://localhost:5001/api`, for instance.
   */
  url: string
  /** Names the backend in outcomes, logs and events. Default `kobold`. */
  name?: string
  /** The server's `--password`. Sent as `Authorization: Bearer …`; a server without one ignores it. */
  apiKey?: string
  /**
   * Sent as `model` where an event names none. KoboldCPP answers with whatever it has loaded, whatever the name;
   * only its router mode looks at it.
   */
  model?: string
  /** Source of time. Default: the machine's. */
  clock?: Clock
  /** Sends the requests instead of the built-in connection pool: for msw and tests. Not closed by the backend. */
  fetch?: typeof globalThis.fetch
  /** Told at debug level how generations were stopped. Default: none. */
  logger?: Logger
  /** How long a connection may take, in milliseconds. Default 5,000. Not used with a `fetch` of your own. */
  connectTimeoutMs?: number
  /**
   * Longest pause between two tokens of a stream, in milliseconds; then the generation is stopped. Default 60,000.
   * The time to the first token has no such limit.
   */
  tokenTimeoutMs?: number
  /** After so much silence, in milliseconds, the server is asked whether it works. Default 10,000. */
  silenceProbeMs?: number
  /** After how long a server that answers nothing counts as dead, in milliseconds. Default 15,000. */
  deadAfterMs?: number
  /** Between two aborts of a generation that is to be stopped, in milliseconds. Default 250. */
  abortIntervalMs?: number
  /**
   * How a conversation is written for the endpoints that take one text. Default: the Alpaca tags that KoboldCPP
   * itself uses unless it is told otherwise.
   */
  template?: TranscriptTemplate
}

export type KoboldSettings = Required<Omit<KoboldBackendOptions, 'apiKey' | 'model' | 'fetch'>> &
  Pick<KoboldBackendOptions, 'apiKey' | 'model' | 'fetch'>

/** The options with all defaults; throws a `TypeError` that names a bad one and never shows a key. */
export function resolveKoboldOptions(options: KoboldBackendOptions): KoboldSettings {
  if (typeof options !== 'object' || options === null) throw new TypeError('the options must be an object')
  const {
    url,
    name = 'kobold',
    clock = systemClock,
    logger = silentLogger,
    connectTimeoutMs = 5000,
    tokenTimeoutMs = 60_000,
    silenceProbeMs = 10_000,
    deadAfterMs = 15_000,
    abortIntervalMs = 250,
    template = alpacaTemplate,
    apiKey,
    model,
    fetch,
  } = options
  const times = { connectTimeoutMs, tokenTimeoutMs, silenceProbeMs, deadAfterMs, abortIntervalMs }
  checkCommonOptions({ name, apiKey, model, fetch, clock, template, times })
  check(typeof logger?.debug === 'function', 'logger must be a Logger')
  return {
    url: readBaseUrl(url),
    name,
    clock,
    logger,
    template,
    ...times,
    ...(apiKey !== undefined && { apiKey }),
    ...(model !== undefined && { model }),
    ...(fetch && { fetch }),
  }
}

/** Ends of addresses that users copy: the API's roots and the endpoints themselves. */
const KNOWN_ENDS =
  /\/(?:api\/v1\/generate|api\/extra\/generate\/stream|(?:v1\/)?chat\/completions|v1\/completions|api\/extra|api\/v1|api|v1)$/

/**
 * The address under which a KoboldCPP server's paths lie, from any form users write: with or without `/api`, `/v1`,
 * a trailing slash or the scheme, behind a path prefix, or the address of its web page. Throws a `TypeError`.
 */
export function readBaseUrl(value: unknown): string {
  const url = parseAddress(value, 'http://localhost:5001/api')
  return url.origin + trimPath(url.pathname)
}

function trimPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const shorter = trimmed.replace(KNOWN_ENDS, '')
  return shorter === trimmed ? trimmed : trimPath(shorter)
}
