import type { Clock, FailureOutcome, Outcome } from '@ai-ticket/core'
import type { Answer, HopelessReason } from './ask-here.ts'
import type { Outage } from './pacing.ts'
import { type Turn, Turns } from './pacing.ts'

export interface BatchOptions<Line> {
  /** The next line to be asked; undefined: there is none left. */
  readonly next: () => Promise<Line | undefined>
  /** Always resolves. */
  readonly ask: (line: Line) => Promise<Answer>
  /** Writes a result. */
  readonly write: (line: Line, outcome: Outcome) => Promise<void>
  /** Lines to ask at once. */
  readonly concurrency: number
  /** How long nobody may answer before the batch stops. */
  readonly patienceMs: number
  /** Failed lines after which the batch stops. Default: none. */
  readonly maxFailures?: number | undefined
  /** Aborted: no more lines are taken; those that were asked are finished. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly onOutage?: (outage: Outage | undefined) => void
}

/** `done`: every line has its result. Otherwise the rest has none, and a later run goes on there. */
export type BatchEnd =
  | { readonly type: 'done' | 'interrupted' | 'too_many_failures' }
  | { readonly type: 'out_of_patience'; readonly details: string }
  | { readonly type: 'hopeless'; readonly details: string; readonly reason: HopelessReason }

/**
 * Asks line after line, `concurrency` at once, and writes results as they come. A slot waits for nothing but its answer:
 * what cannot be answered now is put off. Rejects where a line cannot be read or a result not be written.
 */
export async function runBatch<Line>(options: BatchOptions<Line>): Promise<BatchEnd> {
  const { next, ask, write, concurrency, patienceMs, maxFailures, clock, onOutage = () => {} } = options
  const stopping = new AbortController()
  const signal = AbortSignal.any([options.signal, stopping.signal])
  const turns = new Turns({ fresh: next, clock, patienceMs, signal, onOutage })
  let end: BatchEnd | undefined
  let failures = 0

  function stop(reason: BatchEnd): void {
    end ??= reason
    stopping.abort()
  }

  async function finish({ line }: Turn<Line>, outcome: Outcome): Promise<void> {
    await write(line, outcome)
    if (outcome.error === undefined) return
    failures += 1
    if (maxFailures !== undefined && failures >= maxFailures) stop({ type: 'too_many_failures' })
  }

  async function putOff(turn: Turn<Line>, outcome: FailureOutcome, isAway: boolean): Promise<void> {
    const { details, retry_after_ms: retryAfterMs } = outcome
    if (!turns.putOff(turn, { details, isAway, retryAfterMs })) await finish(turn, outcome)
    if (turns.isOutOfPatience) stop({ type: 'out_of_patience', details })
  }

  async function work(): Promise<void> {
    for (let turn = await turns.take(); turn !== undefined; turn = await turns.take()) {
      const answer = await ask(turn.line)
      if (answer.type === 'final') {
        const { outcome } = answer
        turns.settle(turn, { answered: outcome.error === undefined || outcome.attempts.length > 0 })
        await finish(turn, outcome)
      } else if (answer.type === 'again') await putOff(turn, answer.outcome, answer.isAway)
      else stop(answer)
    }
  }

  // Waits for all of them, even if one fails: every line that was asked gets its result.
  const workers = Array.from({ length: concurrency }, () =>
    work().catch((error: unknown) => {
      stopping.abort()
      throw error
    }),
  )
  const broken = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected')
  if (broken?.status === 'rejected') throw broken.reason
  return end ?? { type: options.signal.aborted ? 'interrupted' : 'done' }
}
