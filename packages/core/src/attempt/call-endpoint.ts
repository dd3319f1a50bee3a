import type {
  Backend,
  Endpoint,
  GenerationEnd,
  GenerationEvent,
  GenerationRequest,
} from '../contract/backend.ts'
import type { Delta } from '../contract/dispatcher.ts'
import { ABORTED, untilSignal } from '../contract/until-aborted.ts'

export interface Call {
  readonly backend: Backend
  readonly endpoint: Endpoint
  readonly request: GenerationRequest
  readonly signal: AbortSignal
  /** Present: the caller wants deltas. The next one is asked for when the promise has resolved. */
  readonly onDelta?: ((delta: Delta) => Promise<void> | undefined) | undefined
}

export type CallResult =
  | { readonly type: 'answered'; readonly end: GenerationEnd }
  | { readonly type: 'failed'; readonly error: unknown }
  /** The signal was aborted. The backend may still be stopping; `settled` resolves when it has. */
  | { readonly type: 'aborted'; readonly settled: Promise<void> }

/** Calls one endpoint once. Returns as soon as the signal is aborted, even where the backend takes longer to stop. */
export async function callEndpoint({
  backend,
  endpoint,
  request,
  signal,
  onDelta,
}: Call): Promise<CallResult> {
  const stream = onDelta !== undefined
  const events = backend.generate(endpoint, request, { signal, stream })[Symbol.asyncIterator]()
  const patience = untilSignal(signal)
  let end: GenerationEnd | undefined
  try {
    for (;;) {
      const pending = events.next()
      const step = await patience.wait(pending)
      if (step === ABORTED) return { type: 'aborted', settled: settle(events, pending) }
      if (step.done) break
      if (step.value.type === 'end') end = step.value
      else if (onDelta) {
        const taken = onDelta(step.value)
        if (taken && (await patience.wait(taken)) === ABORTED) {
          return { type: 'aborted', settled: settle(events) }
        }
      }
    }
  } catch (error) {
    return signal.aborted ? { type: 'aborted', settled: Promise.resolve() } : { type: 'failed', error }
  } finally {
    patience.end()
  }
  if (end) return { type: 'answered', end }
  if (signal.aborted) return { type: 'aborted', settled: Promise.resolve() }
  return { type: 'failed', error: new Error('generate ended without an end event') }
}

/** Reads an aborted generation to its end, whatever that is: the slot is taken until then. */
async function settle(
  events: AsyncIterator<GenerationEvent>,
  pending?: Promise<IteratorResult<GenerationEvent>>,
): Promise<void> {
  try {
    let step = await (pending ?? events.next())
    while (!step.done) step = await events.next()
  } catch {
    // How an aborted call ends is its backend's affair; that it has ended is what counts.
  }
}
