import { Counter, Histogram, type Registry } from '@prometheus-io/client'
import type { CallbackFigures } from './metrics.ts'

/** A receiver has 15 s. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** Counts attempts to deliver callbacks as they end. */
export function observeCallbacks(registry: Registry): { attemptEnded(report: CallbackFigures): void } {
  const registers = [registry]
  const attempts = new Counter({
    name: 'ai_ticket_callback_attempts_total',
    help: 'Attempts to deliver a callback, by result (delivered; failed: another one follows; dead: given up)',
    labelNames: ['result'],
    registers,
  })
  const duration = new Histogram({
    name: 'ai_ticket_callback_duration_seconds',
    help: 'Of an attempt to deliver a callback',
    buckets: SECONDS,
    registers,
  })
  return {
    attemptEnded({ result, durationMs }) {
      attempts.inc({ result })
      duration.observe(durationMs / 1_000)
    },
  }
}
