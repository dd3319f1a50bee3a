import type { Clock, Dispatcher, SuccessOutcome } from '@ai-ticket/core'
import { finishOf } from './kobold-text.ts'

interface PerfAsked {
  /** Something of the caller waits or runs. */
  readonly isBusy: boolean
  /** Generations that have ended since the start. */
  readonly count: number
}

/** What KoboldCPP's `perf` tells, of all backends together. Unknown numbers are 0. */
export class PerfBook {
  readonly #clock: Clock
  readonly #startedAt: number
  #last: { readonly outcome: Pick<SuccessOutcome, keyof SuccessOutcome>; readonly at: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedAt = clock.now()
  }

  answered(outcome: SuccessOutcome): void {
    // The text itself is not kept.
    this.#last = { outcome: { ...outcome, completion: '' }, at: this.#clock.now() }
  }

  /**
   * `idle` is 1 while a slot is free and nothing of the caller waits or runs: clients take it for "my request is lost". It
   * is not told whether somebody else's runs.
   */
  report(dispatcher: Pick<Dispatcher, 'report'>, { isBusy, count }: PerfAsked): object {
    const { backends, line } = dispatcher.report()
    const now = this.#clock.now()
    const isFree = backends.some(
      ({ in_flight, concurrency, state }) => state !== 'down' && in_flight < concurrency,
    )
    const outcome = this.#last?.outcome
    const last = backends.find(({ name }) => name === outcome?.backend)
    return {
      ...numbersOf(outcome?.usage, last?.prompt_tokens_per_second, last?.completion_tokens_per_second),
      last_seed: outcome?.attempts.at(-1)?.seed ?? 0,
      last_draft_success: 0,
      last_draft_failed: 0,
      total_gens: count,
      stop_reason: outcome === undefined ? -1 : stopReasonOf(outcome),
      total_img_gens: 0,
      total_tts_gens: 0,
      total_transcribe_gens: 0,
      queue: line.waiting,
      idle: isFree && !isBusy ? 1 : 0,
      hordeexitcounter: -1,
      uptime: (now - this.#startedAt) / 1_000,
      idletime: (now - (this.#last?.at ?? this.#startedAt)) / 1_000,
      quiet: true,
    }
  }
}

function numbersOf(usage: SuccessOutcome['usage'] = null, readSpeed = 0, writeSpeed = 0) {
  const { prompt_tokens: read = 0, completion_tokens: written = 0 } = usage ?? {}
  return {
    // Milliseconds a token.
    last_process: readSpeed > 0 ? 1_000 / readSpeed : 0,
    last_eval: writeSpeed > 0 ? 1_000 / writeSpeed : 0,
    last_token_count: written,
    last_input_count: read,
    // Seconds.
    last_process_time: readSpeed > 0 ? read / readSpeed : 0,
    last_eval_time: writeSpeed > 0 ? written / writeSpeed : 0,
    last_process_speed: readSpeed,
    last_eval_speed: writeSpeed,
  }
}

/** 0: the limit; 1: the end of the text; 2: a stop string. */
function stopReasonOf(outcome: Pick<SuccessOutcome, 'finish_reason' | 'attempts'>): number {
  if (outcome.finish_reason === 'length') return 0
  return finishOf(outcome) === 'stop' ? 1 : 2
}
