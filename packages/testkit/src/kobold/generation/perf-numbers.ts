import type { KoboldVersion } from '../contract/simulator-options.ts'
import type { GenerationPlan } from './plan-generation.ts'

/** How one generation went, in seconds and tokens. */
interface GenerationTimes {
  readonly plan: GenerationPlan
  readonly tokens: number
  readonly stopReason: number
  /** Of the prompt, those that were not kept from an earlier one. */
  readonly readTokens: number
  readonly readSeconds: number
  readonly evalSeconds: number
}

/** The numbers behind `GET /api/extra/perf`: they speak of the last finished generation. */
export interface PerfNumbers {
  finished(times: GenerationTimes): void
  /** Another process counts. */
  restart(): void
  totalGens(): number
  body(now: { idle: boolean; queue: number; noModel: boolean }): Record<string, unknown>
}

export function createPerfNumbers(version: KoboldVersion): PerfNumbers {
  let startedAt = performance.now()
  let lastEndedAt = startedAt
  let last: GenerationTimes | undefined
  let gens = 0
  return {
    finished(times) {
      last = times
      gens += 1
      lastEndedAt = performance.now()
    },
    restart() {
      startedAt = performance.now()
      lastEndedAt = startedAt
      last = undefined
      gens = 0
    },
    totalGens: () => gens,
    body({ idle, queue, noModel }) {
      const now = performance.now()
      const none = noModel && version !== '1.76' ? -2 : -1
      return {
        ...lastOf(version, last),
        total_gens: gens,
        stop_reason: last?.stopReason ?? none,
        total_img_gens: 0,
        ...(version === '1.76' ? {} : { total_tts_gens: 0, total_transcribe_gens: 0 }),
        queue,
        idle: idle ? 1 : 0,
        hordeexitcounter: -1,
        uptime: (now - startedAt) / 1000,
        idletime: (now - lastEndedAt) / 1000,
        quiet: true,
      }
    },
  }
}

function speed(tokens: number, seconds: number): number {
  return seconds > 0 ? tokens / seconds : 0
}

function lastOf(version: KoboldVersion, last: GenerationTimes | undefined): Record<string, unknown> {
  const { tokens = 0, readTokens = 0, readSeconds = 0, evalSeconds = 0 } = last ?? {}
  const inputs = last?.plan.promptTokens ?? 0
  const perToken = {
    last_process: readTokens === 0 ? 0 : (readSeconds * 1000) / readTokens,
    last_eval: tokens === 0 ? 0 : (evalSeconds * 1000) / tokens,
    last_token_count: tokens,
  }
  const seed = { last_seed: last === undefined ? -1 : 1 }
  if (version === '1.76') return { ...perToken, ...seed }
  return {
    ...perToken,
    last_input_count: inputs,
    // What nobody waited for: the time of one token, times all of them (fact 60).
    last_process_time: readTokens === 0 ? 0 : (readSeconds * inputs) / readTokens,
    last_eval_time: evalSeconds,
    last_process_speed: speed(readTokens, readSeconds),
    last_eval_speed: speed(tokens, evalSeconds),
    ...seed,
    last_draft_success: 0,
    last_draft_failed: 0,
  }
}
