import type { DeliveryError } from '../ticket/delivery.ts'

/** Told of what becomes of callbacks, as it happens: for metrics. Must be quick; what it throws is logged and ignored. */
export interface CallbackObserver {
  attemptEnded?(report: CallbackReport): void
}

export interface CallbackReport {
  /** `failed`: another attempt follows. `dead`: given up. */
  readonly result: 'delivered' | 'failed' | 'dead'
  readonly error?: DeliveryError
  readonly durationMs: number
}
