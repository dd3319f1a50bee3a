import { answerDuties } from './conformance/answer-duties.ts'
import type { Duty } from './conformance/conformance-duty.ts'
import type { ConformanceOptions, ConformanceSubject } from './conformance/conformance-subject.ts'
import { deadDuties, lifeDuties } from './conformance/life-duties.ts'
import { stopDuties } from './conformance/stop-duties.ts'

export type { ConformanceOptions, ConformanceSubject } from './conformance/conformance-subject.ts'

/** One duty of a backend. `run` throws if the backend does not keep it. */
export interface ConformanceCase {
  /** For the title of a test. */
  readonly name: string
  /** Opens a backend, tries it and closes it. Rejects with what was wrong. */
  run(): Promise<void>
}

const LONG_STORY = 'Tell me a long story.'

/**
 * Whether a backend keeps the duties of `Backend`: one case for each, for any test runner.
 *
 * ```ts
 * for (const { name, run } of backendConformance({ open })) test(name, run)
 * ```
 *
 * Each case opens its own backend and closes it. Not covered: what a server can do wrong (broken streams, wrong shapes,
 * silence). Only the author of the backend knows how its server fails.
 */
export function backendConformance(options: ConformanceOptions): ConformanceCase[] {
  const { open, openDead } = options
  const cases = [...answerDuties, ...stopDuties, ...lifeDuties].map((duty) => toCase(duty, open, options))
  return openDead ? [...cases, ...deadDuties.map((duty) => toCase(duty, openDead, options))] : cases
}

function toCase(
  { name, check }: Duty,
  open: () => Promise<ConformanceSubject>,
  { prompt = LONG_STORY, stopMs = 2000, answerMs = 15_000 }: ConformanceOptions,
): ConformanceCase {
  return {
    name,
    async run() {
      const subject = await open()
      try {
        await check({ ...subject, prompt, stopMs, answerMs })
      } finally {
        await subject.backend.close()
        await subject.close?.()
      }
    },
  }
}
