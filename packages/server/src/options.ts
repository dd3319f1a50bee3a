import { type Clock, type Dispatcher, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import { type ApiKey, apiKeyProblems, isPriority } from './gate/api-key.ts'
import { originProblem } from './gate/cors.ts'
import { type RateLimit, rateLimitProblem } from './gate/rate-limit.ts'
import type { Metrics } from './metrics/metrics.ts'

/** For `createServer`, which throws a `TypeError` that names an option with a bad value. */
export interface ServerOptions {
  /** The desk behind the server. It is yours: closing the server does not close it. */
  readonly dispatcher: Dispatcher
  /** Default: silent. */
  readonly logger?: Logger
  /**
   * Keys that callers may show, as `Authorization: Bearer …` or `X-API-Key`. A string is a key that may do everything, or
   * `sha256:` and its digest. Default: none, then everybody may ask, and the `Host` header is checked instead.
   */
  readonly apiKeys?: readonly (string | ApiKey)[]
  /**
   * Names, beside `localhost` and addresses, that a server without keys answers to (`desk.lan`; a port is ignored).
   * Default: none.
   */
  readonly allowedHosts?: readonly string[]
  /**
   * Origins whose pages may ask from a browser, each as the browser sends it: `https://app.example.com`. Default: none.
   */
  readonly corsOrigins?: readonly string[]
  /**
   * How many requests each key name may send, or without keys each address; beyond it they are refused with 429. A key may
   * have a limit of its own. Probes and `/metrics` do not count. Default: false, no limit.
   */
  readonly rateLimit?: RateLimit | false
  /**
   * The priority of events that name none, from -100 to 100, by the door they come in: `event`, `openai`, `tickets` and those
   * of plugins, like `{ kobold: 10 }`. A key's own goes before it. Default: none, then it is 0.
   */
  readonly priorities?: Readonly<Record<string, number>>
  /** Largest body in bytes, of `POST /event` and under `/v1`. Default 16 MiB. */
  readonly bodyLimitBytes?: number
  /**
   * Bytes that the bodies of all requests may have together while they come, wait and run; three quarters of what the
   * others leave are the most for one caller. Beyond it requests are refused with 503. Default 128 MiB, which fits a
   * process with a heap of 512 MB. At least `bodyLimitBytes`.
   */
  readonly bodyBudgetBytes?: number
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses or CIDR ranges, or true for any. Default false. It decides
   * who counts as one caller, nothing else.
   */
  readonly trustProxy?: boolean | string | readonly string[]
  /** Milliseconds between two pings of an event stream. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Milliseconds in which a whole request must have arrived, its headers in at most 20,000. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** A connection that takes nothing of its answer for so long is closed, in milliseconds. Default 30,000. */
  readonly readerTimeoutMs?: number
  /**
   * Bytes that large answers (of 64 KiB and more) may have together until they are read; for more the caller with the most
   * of them gives way. Default 64 MiB.
   */
  readonly unreadBytes?: number
  /** Connections at a time; beyond it one of the address that has the most is closed. Default 10,000. */
  readonly maxConnections?: number
  /** Shown by `GET /health`. Default: not shown. */
  readonly version?: string
  /** From `createMetrics`, for `GET /metrics`; give its observer to the dispatcher, too. Default: no such route. */
  readonly metrics?: Metrics
  /**
   * Asked by each `GET /readyz`: false makes it 503, so that a load balancer looks elsewhere before the server closes.
   * Default: ready until `server.close()` is called.
   */
  readonly ready?: () => boolean
  /** Drives the pings and the rate limit. Default: the system's. */
  readonly clock?: Clock
}

const MIB = 1_024 * 1_024

type Optional = 'version' | 'metrics'

/** Every option with its value, checked. */
export type ResolvedServerOptions = Readonly<
  Required<Omit<ServerOptions, Optional | 'apiKeys'>> &
    Pick<ServerOptions, Optional> & { readonly apiKeys: readonly ApiKey[] }
>

const WHOLE_NUMBERS = [
  ...(['bodyLimitBytes', 'bodyBudgetBytes', 'unreadBytes', 'pingIntervalMs', 'requestTimeoutMs'] as const),
  ...(['readerTimeoutMs', 'maxConnections'] as const),
]

/** Fills in the defaults. Throws a `TypeError` that names the option with a bad value. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const { version, metrics } = options
  const resolved = {
    dispatcher: options.dispatcher,
    logger: options.logger ?? silentLogger,
    apiKeys: (options.apiKeys ?? []).map((key) => (typeof key === 'string' ? { key } : key)),
    allowedHosts: options.allowedHosts ?? [],
    corsOrigins: options.corsOrigins ?? [],
    rateLimit: options.rateLimit ?? false,
    priorities: options.priorities ?? {},
    bodyLimitBytes: options.bodyLimitBytes ?? 16 * MIB,
    bodyBudgetBytes: options.bodyBudgetBytes ?? 128 * MIB,
    trustProxy: options.trustProxy ?? false,
    pingIntervalMs: options.pingIntervalMs ?? 15_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    readerTimeoutMs: options.readerTimeoutMs ?? 30_000,
    unreadBytes: options.unreadBytes ?? 64 * MIB,
    maxConnections: options.maxConnections ?? 10_000,
    ready: options.ready ?? (() => true),
    clock: options.clock ?? systemClock,
    ...(version === undefined ? {} : { version }),
    ...(metrics === undefined ? {} : { metrics }),
  }
  for (const name of WHOLE_NUMBERS) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 1) {
      throw new TypeError(`${name} must be a whole number of at least 1, not ${resolved[name]}.`)
    }
  }
  if (resolved.bodyBudgetBytes < resolved.bodyLimitBytes) {
    throw new TypeError(
      'bodyBudgetBytes must be at least bodyLimitBytes: no request of that size could be taken.',
    )
  }
  for (const [index, origin] of resolved.corsOrigins.entries()) {
    const bad = originProblem(origin)
    if (bad !== undefined) throw new TypeError(`corsOrigins[${index}] ${bad}`)
  }
  for (const [door, priority] of Object.entries(resolved.priorities)) {
    if (isPriority(priority)) continue
    throw new TypeError(`priorities.${door} must be a whole number from -100 to 100, not ${priority}.`)
  }
  const badLimit = resolved.rateLimit && rateLimitProblem(resolved.rateLimit)
  if (badLimit) throw new TypeError(`rateLimit ${badLimit}`)
  const [problem] = apiKeyProblems(resolved.apiKeys)
  if (problem !== undefined) throw new TypeError(`apiKeys[${problem.index}] ${problem.message}`)
  return resolved
}
