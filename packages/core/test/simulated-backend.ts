import { type Backend, BackendError, type Clock, type GenerationEvent, sleep } from '@ai-ticket/core'

export type SimulatedState = 'up' | 'refusing' | 'black_hole'

/** A backend on a virtual clock that keeps count of what a real one could not bear. */
export interface SimulatedBackend extends Backend {
  state: SimulatedState
  /** A share of calls, from 0 to 1, that fail in some way. */
  faultiness: number
  readonly calls: readonly SimulatedCall[]
  readonly running: number
  readonly mostRunning: number
}

export interface SimulatedCall {
  readonly key: string
  readonly startedAt: number
  /** When the caller's side was aborted. */
  abortedAt?: number
  endedAt?: number
}

export interface SimulatedBackendOptions {
  readonly name: string
  readonly clock: Clock
  readonly random: () => number
  readonly workMs: number
  /** From an abort to the end of the generation. */
  readonly stopMs: number
}

const CONNECT_TIMEOUT_MS = 5_000
const DEAD_AFTER_MS = 15_000

export function createSimulatedBackend(options: SimulatedBackendOptions): SimulatedBackend {
  const { name, clock, random, workMs, stopMs } = options
  const calls: SimulatedCall[] = []
  let running = 0

  /** Works for so long, or stops when aborted. */
  async function work(call: SimulatedCall, ms: number, signal: AbortSignal): Promise<void> {
    running += 1
    backend.mostRunning = Math.max(backend.mostRunning, running)
    try {
      await sleep(clock, ms, signal)
    } catch {
      call.abortedAt = clock.now()
      await sleep(clock, stopMs)
      throw new BackendError('aborted', 'stopped')
    } finally {
      running -= 1
      call.endedAt = clock.now()
    }
  }

  async function* generate(
    _endpoint: unknown,
    request: { key: string },
    { signal, stream }: { signal: AbortSignal; stream: boolean },
  ): AsyncGenerator<GenerationEvent> {
    if (backend.state === 'refusing') throw new BackendError('connect', 'refused')
    const call: SimulatedCall = { key: request.key, startedAt: clock.now() }
    calls.push(call)
    if (backend.state === 'black_hole') {
      await work(call, random() < 0.5 ? CONNECT_TIMEOUT_MS : DEAD_AFTER_MS, signal)
      throw new BackendError('dead', 'silent', { stopped: 'dead' })
    }
    const ms = workMs * (0.5 + random())
    if (random() < backend.faultiness) {
      await work(call, ms * random(), signal)
      throw someFault(random())
    }
    if (stream) yield { type: 'delta', text: 'An ' }
    await work(call, ms, signal)
    if (stream) yield { type: 'delta', text: 'answer.' }
    yield {
      type: 'end',
      text: 'An answer.',
      finish_reason: 'stop',
      raw_finish_reason: 'stop',
      usage: { prompt_tokens: 10, completion_tokens: 3 },
    }
  }

  const backend = {
    name,
    endpoints: ['chat', 'text'].map((endpoint) => ({
      name: endpoint,
      turns: true,
      images: false,
      tools: false,
      schema: false as const,
    })),
    state: 'up' as SimulatedState,
    faultiness: 0,
    calls,
    mostRunning: 0,
    get running() {
      return running
    },
    generate,
    async probe(signal: AbortSignal) {
      if (backend.state === 'refusing') throw new BackendError('connect', 'refused')
      if (backend.state === 'black_hole') await sleep(clock, DEAD_AFTER_MS, signal)
      return { models: ['m'], idle: running === 0 }
    },
    async close() {},
  }
  return backend
}

function someFault(choice: number): BackendError {
  if (choice < 0.2) return new BackendError('status', 'failed', { status: 500 })
  if (choice < 0.4) return new BackendError('status', 'busy', { status: 503, reason: 'busy' })
  if (choice < 0.5) return new BackendError('status', 'limited', { status: 429, retryAfterMs: 3000 })
  if (choice < 0.6) return new BackendError('disconnected', 'broke off', { stopped: 'idle' })
  if (choice < 0.7) return new BackendError('stalled', 'stalled', { stopped: 'ended' })
  if (choice < 0.8) return new BackendError('interrupted', 'cut')
  if (choice < 0.9) return new BackendError('wrong_shape', 'null')
  return new BackendError('status', 'refused', { status: 400 })
}
