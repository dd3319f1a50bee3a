import type {
  Dispatcher,
  EventOptions,
  FailureOutcome,
  Health,
  Outcome,
  StreamEvent,
  SuccessOutcome,
} from '@ai-ticket/core'

export const SUCCESS: SuccessOutcome = {
  completion: 'Hello.',
  id: 'evt_1',
  model: 'koboldcpp/tiny',
  backend: 'kobold',
  endpoint: 'chat',
  finish_reason: 'stop',
  usage: { prompt_tokens: 3, completion_tokens: 2 },
  duration_ms: 5,
  attempts: [],
}

export const failureOutcome = (
  error: FailureOutcome['error'],
  more: Partial<FailureOutcome> = {},
): FailureOutcome => ({
  error,
  details: `Details of ${error}.`,
  id: 'evt_1',
  duration_ms: 1,
  attempts: [],
  ...more,
})

export interface FakeScript {
  onEvent?: (event: unknown, options: EventOptions) => Promise<Outcome>
  streamEvent?: (event: unknown, options: EventOptions) => AsyncIterable<StreamEvent>
  health?: Dispatcher['health']
}

export interface FakeDispatcher extends Dispatcher {
  /** Every event with its options, in order of arrival. */
  readonly calls: { event: unknown; options: EventOptions }[]
}

const HEALTHY: Health = { status: 'healthy', backends: [], waiting: 0 }

/** A desk that does what the test says, records what it was asked, and refuses what was not scripted. */
export function fakeDispatcher(script: FakeScript = {}): FakeDispatcher {
  const calls: FakeDispatcher['calls'] = []
  const unscripted = () => {
    throw new Error('This call is not in the script of the fake dispatcher.')
  }
  const onEvent = (event: unknown, options: EventOptions = {}): Promise<Outcome> => {
    calls.push({ event, options })
    return (script.onEvent ?? unscripted)(event, options)
  }
  const streamEvent = (event: unknown, options: EventOptions = {}): AsyncIterable<StreamEvent> => {
    calls.push({ event, options })
    return (script.streamEvent ?? unscripted)(event, options)
  }
  return {
    calls,
    onEvent: onEvent as Dispatcher['onEvent'],
    streamEvent: streamEvent as Dispatcher['streamEvent'],
    health: script.health ?? (() => Promise.resolve(HEALTHY)),
    countTokens: () => Promise.resolve({ tokens: 3, isEstimate: false }),
    freeSlots: () => [],
    line: () => ({ now: new Date(0).toISOString(), capacity: 0, running: [], waiting: [], more: 0 }),
    inHand: () => undefined,
    backend: () => undefined,
    abandon: () => Promise.resolve(),
    reconfigure: () => {},
    report: () => ({ backends: [], line: { waiting: 0, capacity: 1000 } }),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** Pending until the signal aborts; then rejects with its reason, as a dispatcher does after its caller's abort. */
export function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

export async function* streamOf(...events: StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events
}

/** Deltas of so many characters without an end. `made`: how many were asked for; `ended` resolves when the reader has left. */
export function endlessStream(characters = 64 * 1_024) {
  const left = Promise.withResolvers<void>()
  let made = 0
  async function* streamEvent(): AsyncGenerator<StreamEvent> {
    try {
      yield { type: 'admitted', id: 'evt_1' }
      for (;;) {
        made += 1
        yield { type: 'delta', text: 'x'.repeat(characters) }
      }
    } finally {
      left.resolve()
    }
  }
  return { streamEvent, made: () => made, ended: left.promise }
}
