import { type Clock, type Dispatcher, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { Metrics } from './create-metrics.ts'

export interface ServerOptions {
  /** The desk behind the server. It is yours: closing the server does not close it. */
  readonly dispatcher: Dispatcher
  /** Default: silent. */
  readonly logger?: Logger
  /**
   * Keys that callers may show, as `Authorization: Bearer …` or `X-API-Key`. Default: none, then everybody may ask, and
   * the `Host` header is checked instead.
   */
  readonly apiKeys?: readonly string[]
  /**
   * Names, beside `localhost` and addresses, that a server without keys answers to (`desk.lan`; a port is ignored).
   * Default: none.
   */
  readonly allowedHosts?: readonly string[]
  /** Largest body in bytes, of `POST /event` and under `/v1`. Default 16 MiB. */
  readonly bodyLimitBytes?: number
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses or CIDR ranges, or true for any. Default false. It decides
   * who counts as one caller, nothing else.
   */
  readonly trustProxy?: boolean | string | readonly string[]
  /** Milliseconds between two pings of an event stream. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Milliseconds in which a whole request must have arrived, its headers in at most 20,000. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** Shown by `GET /health`. Default: not shown. */
  readonly version?: string
  /** From `createMetrics`, for `GET /metrics`; give its observer to the dispatcher, too. Default: there is no such route. */
  readonly metrics?: Metrics
  /**
   * Asked by each `GET /readyz`: false makes it 503, so that a load balancer looks elsewhere before the server closes.
   * Default: ready until `server.close()` is called.
   */
  readonly ready?: () => boolean
  /** Drives the pings. Default: the system's. */
  readonly clock?: Clock
}

type Optional = 'version' | 'metrics'

/** Every option with its value, checked. */
export type ResolvedServerOptions = Readonly<
  Required<Omit<ServerOptions, Optional>> & Pick<ServerOptions, Optional>
>

/** Fills in the defaults. Throws a `TypeError` that names the option with a bad value. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const { version, metrics } = options
  const resolved = {
    dispatcher: options.dispatcher,
    logger: options.logger ?? silentLogger,
    apiKeys: options.apiKeys ?? [],
    allowedHosts: options.allowedHosts ?? [],
    bodyLimitBytes: options.bodyLimitBytes ?? 16 * 1_024 * 1_024,
    trustProxy: options.trustProxy ?? false,
    pingIntervalMs: options.pingIntervalMs ?? 15_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    ready: options.ready ?? (() => true),
    clock: options.clock ?? systemClock,
    ...(version === undefined ? {} : { version }),
    ...(metrics === undefined ? {} : { metrics }),
  }
  for (const name of ['bodyLimitBytes', 'pingIntervalMs', 'requestTimeoutMs'] as const) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 1) {
      throw new TypeError(`${name} must be a whole number of at least 1, not ${resolved[name]}.`)
    }
  }
  // Never in the message: the key itself.
  const unusable = resolved.apiKeys.findIndex((key) => !/^[\x21-\x7e]+$/.test(key))
  if (unusable !== -1) {
    throw new TypeError(`apiKeys[${unusable}] is empty or holds characters that a header cannot carry.`)
  }
  return resolved
}
