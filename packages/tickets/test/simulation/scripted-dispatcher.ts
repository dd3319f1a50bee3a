import {
  type AttemptRecord,
  type Dispatcher,
  type EventOptions,
  type FailureCode,
  type FailureOutcome,
  type Outcome,
  type StreamEvent,
  sleep,
} from '@ai-ticket/core'
import type { Choice } from '@ai-ticket/testkit'
import type { SimulatedProcess } from './process.ts'
import type { Story } from './story.ts'

export interface ScriptedDispatcherOptions {
  readonly process: SimulatedProcess
  readonly choice: Choice
  readonly story: Story
  readonly concurrency: number
  /** True while failures are drawn; afterwards every run has an answer. */
  readonly isFaulty: () => boolean
}

/** May pass, and may not. */
const FAILURES: readonly FailureCode[] = [
  'api_server_error',
  'api_connection_error',
  'capacity_exceeded',
  'api_timeout',
  'invalid_input_format',
]

const isFailure = (outcome: Outcome): outcome is FailureOutcome => 'error' in outcome

type Scripted = Pick<Dispatcher, 'onEvent' | 'streamEvent' | 'freeSlots' | 'abandon' | 'health'>

/** What the ticket desk asks for answers: one backend, whose answers, failures and pauses are drawn. */
export function scriptedDispatcher(options: ScriptedDispatcherOptions): Scripted {
  const { process, choice, story, concurrency, isFaulty } = options
  const { clock } = process
  let running = 0
  let calls = 0
  /** How the prompt begins that was read last. */
  let warm: string | undefined

  async function slot(signal: AbortSignal | undefined): Promise<void> {
    while (running >= concurrency) await sleep(clock, 50, signal)
    running += 1
  }

  function draw(id: string, durationMs: number): Outcome {
    const isFailure = isFaulty() && choice.happens(0.25)
    const attempt: AttemptRecord = {
      ...{ backend: 'b', endpoint: 'chat', number: 1, result: 'completed', waited_ms: 0 },
      ...{ started_at: new Date(clock.wallTime()).toISOString(), duration_ms: durationMs },
    }
    const common = { id, duration_ms: durationMs, attempts: isFailure ? [] : [attempt] }
    if (isFailure) return { ...common, error: choice.pick(FAILURES), details: `failure ${id}` }
    return {
      ...common,
      completion: `${id} answered by ${process.number}, call ${calls}`,
      ...{ model: null, backend: 'b', endpoint: 'chat', finish_reason: 'stop', usage: null },
    }
  }

  /** Of the claim that it runs under. */
  function tokenOf(ticketId: string): number {
    const heard = [...story.heardClaims]
      .filter(([name, { by }]) => by === process && name.startsWith(`${ticketId} `))
      .map(([name]) => Number(name.split(' ')[1]))
    return heard.at(-1) ?? 0
  }

  async function run(event: unknown, given: EventOptions, onText: () => void): Promise<Outcome> {
    const { signal, record, beforeCall, logFields } = given
    const ticketId = String(logFields?.ticket_id)
    const { id } = event as { readonly id: string }
    const token = tokenOf(ticketId)
    await slot(signal)
    calls += 1
    const failed = (error: FailureCode): Outcome => ({
      ...{ error, details: error, id, duration_ms: 0, attempts: [] },
    })
    try {
      try {
        await beforeCall?.({ backend: 'b', endpoint: 'chat', key: `key ${process.number} ${calls}` })
      } catch {
        signal?.throwIfAborted()
        return failed('store_unavailable')
      }
      // Short mostly, and now and then longer than a lease.
      const ms = choice.happens(0.07) ? choice.between(5_000, 45_000) : choice.between(10, 1_500)
      await sleep(clock, ms / 2, signal)
      onText()
      await sleep(clock, ms / 2, signal)
      const outcome = draw(id, ms)
      warm = given.prefix
      story.outcomes.push({ at: clock.now(), by: process, ticketId, token, outcome })
      record?.(outcome)
      return outcome
    } catch (error) {
      record?.(failed('cancelled'))
      throw error
    } finally {
      running -= 1
    }
  }

  async function* stream(event: unknown, given: EventOptions = {}): AsyncIterable<StreamEvent> {
    const texts: string[] = []
    const outcome = await run(event, given, () => texts.push('some text'))
    for (const text of texts) yield { type: 'delta', text }
    yield isFailure(outcome) ? { type: 'error', outcome } : { type: 'done', outcome }
  }

  return {
    onEvent: ((event: unknown, given: EventOptions = {}) =>
      run(event, given, () => {})) as Scripted['onEvent'],
    streamEvent: stream as Scripted['streamEvent'],
    freeSlots: () => [
      { backend: 'b', free: concurrency - running, concurrency, ...(warm !== undefined && { warm: [warm] }) },
    ],
    async abandon(_call, signal) {
      await sleep(clock, isFaulty() && choice.happens(0.1) ? 20_000 : choice.between(0, 100), signal)
    },
    health: async () => ({ status: 'healthy', backends: [], waiting: 0 }),
  }
}
