import { driveLoad } from './drive-load.ts'
import { startField } from './field/start-field.ts'
import { type LoadOptions, type LoadReport, makeLoadReport } from './load-report.ts'
import { lookAfter } from './look-after.ts'
import { planLoad } from './plan/plan-load.ts'
import { createTally, progressOf } from './tally.ts'

const TELL_EVERY_MS = 10_000

export interface RunLoadOptions extends LoadOptions {
  readonly folder: string
  say(what: string): void
}

/** Starts boxes and a server, sends the plan, waits for every answer, and holds the account. */
export async function runLoad({ folder, say, ...options }: RunLoadOptions): Promise<LoadReport> {
  const { seconds, rate, connections, seed } = options
  await using field = await startField({ folder, boxes: options.boxes, seed })
  const { boxes, line } = field
  const tally = createTally()
  const telling = setInterval(() => say(progressOf(tally)), TELL_EVERY_MS)
  try {
    const plan = planLoad({ seed, rate })
    await driveLoad({ plan, durationMs: seconds * 1000, connections, line, boxes, tally })
  } finally {
    clearInterval(telling)
  }
  return makeLoadReport({ options, tally, boxes, aftermath: await lookAfter(line.url) })
}
