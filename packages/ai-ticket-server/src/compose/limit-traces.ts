import type { Clock } from '@ai-ticket/core'
import { createRateLimiter } from '@ai-ticket/http-server'
import { type Context, TraceFlags, trace } from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'

type Sampler = NonNullable<NodeSDKConfiguration['sampler']>

/** The SDK's numbers for: keep nothing, and record and send. */
const NOT_RECORD = 0
const RECORD_AND_SAMPLED = 2

/**
 * A sampler that follows the caller's decision. Of the traces that begin here, it takes the first `perSecond` of each
 * second. A traced event costs the desk a third more time: a flood would feel that, and a hundred traces of its first
 * second say as much as all of them.
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
