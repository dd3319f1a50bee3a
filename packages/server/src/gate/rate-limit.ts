import type { Clock } from '@ai-ticket/core'

/** `requests` in `windowMs`, evenly: after a burst there is one more every `windowMs / requests`. */
export interface RateLimit {
  /** A whole number of at least 1. */
  readonly requests: number
  /** In milliseconds. */
  readonly windowMs: number
  /** How many may come at once after a pause. Default: `requests`. */
  readonly burst?: number
}

/** Where a caller stands after a request. Times are milliseconds from now. */
export interface RateStanding {
  /** False: the request is one too many, and was not counted. */
  readonly isAllowed: boolean
  /** Requests that would be let in now. */
  readonly remaining: number
  /** Until there is one more. */
  readonly nextInMs: number
  /** Until the whole burst is there again. */
  readonly fullInMs: number
}

/** Counts the requests of each caller against a limit. */
export interface RateLimiter {
  /** Counts a request of this caller, unless it is refused. */
  take(caller: string, limit: RateLimit): RateStanding
  /** Requests of this caller that would be let in now. Counts none. */
  left(caller: string, limit: RateLimit): number
}

/** Remembers this many callers. Beyond it, those that were silent longest are forgotten and get a full burst. */
const REMEMBERED = 10_000

/** Sums of thirds are not whole. */
const ROUNDING_MS = 1e-3

export const burstOf = ({ requests, burst = requests }: RateLimit): number => burst

export const costMsOf = ({ requests, windowMs }: RateLimit): number => windowMs / requests

/**
 * The generic cell rate algorithm: one number for each caller, the moment at which its whole burst is there again.
 * Nothing ticks, and memory is bounded whoever asks.
 */
export function createRateLimiter({ now }: Pick<Clock, 'now'>, remembered = REMEMBERED): RateLimiter {
  /** In the order in which callers were last let in. */
  const fullAt = new Map<string, number>()

  function remember(caller: string, time: number): void {
    fullAt.delete(caller)
    fullAt.set(caller, time)
    const [eldest] = fullAt.keys()
    if (fullAt.size > remembered && eldest !== undefined) fullAt.delete(eldest)
  }

  const fullIn = (caller: string, time: number) => Math.max(0, (fullAt.get(caller) ?? time) - time)

  return {
    left: (caller, limit) => remainingOf(limit, fullIn(caller, now())),
    take(caller, limit) {
      const time = now()
      const costMs = costMsOf(limit)
      const wholeMs = burstOf(limit) * costMs
      const before = fullIn(caller, time)
      const isAllowed = before + costMs <= wholeMs + ROUNDING_MS
      const fullInMs = isAllowed ? before + costMs : before
      if (isAllowed) remember(caller, time + fullInMs)
      const remaining = remainingOf(limit, fullInMs)
      const nextInMs = Math.max(0, fullInMs - wholeMs + (remaining + 1) * costMs)
      return { isAllowed, remaining, nextInMs, fullInMs }
    },
  }
}

function remainingOf(limit: RateLimit, fullInMs: number): number {
  const costMs = costMsOf(limit)
  return Math.max(0, Math.floor((burstOf(limit) * costMs - fullInMs + ROUNDING_MS) / costMs))
}

/** What is wrong with it, worded to follow its name. */
export function rateLimitProblem({ requests, windowMs, burst = 1 }: RateLimit): string | undefined {
  const isWhole = [requests, windowMs, burst].every((number) => Number.isSafeInteger(number) && number >= 1)
  return isWhole ? undefined : 'must have whole numbers of at least 1.'
}
