import type { Clock } from '@ai-ticket/core'
import { createRateLimiter } from '@ai-ticket/server'
import { type Context, TraceFlags, trace } from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'

type Sampler = NonNullable<NodeSDKConfiguration['sampler']>

/** Of the SDK: keep nothing of it, or record it and send it. */
const NOT_RECORD = 0
const RECORD_AND_SAMPLED = 2

/**
 * A sampler that takes a caller's decision over, and of the traces that begin here takes so many a second (at most that
 * many at once), the first ones. What is traced in full costs a desk a third of its time with each event: for a flood
 * that would be felt, and a hundred traces of its first second say as much as all of them.
 */
export function limitTraces(perSecond: number, clock: Clock): Sampler {
  const limiter = createRateLimiter(clock)
  const limit = { requests: perSecond, windowMs: 1_000 }
  return {
    shouldSample(parent: Context) {
      const above = trace.getSpanContext(parent)
      const isTaken = above
        ? (above.traceFlags & TraceFlags.SAMPLED) !== 0
        : limiter.take('', limit).isAllowed
      return { decision: isTaken ? RECORD_AND_SAMPLED : NOT_RECORD }
    },
    toString: () => `LimitTraces{${perSecond} a second}`,
  }
}
