import { type Clock, type Dispatcher, sleep } from '@ai-ticket/core'
import type { CallNotes } from './lock-output.ts'

/** Longer than a backend that is dead takes to be found so. */
const LIMIT_MS = 20_000

/** Stops what a killed run has left generating, for nobody waits for it. Resolves when all have stopped, or nobody can say. */
export async function stopLeftCalls(
  dispatcher: Pick<Dispatcher, 'abandon'>,
  { calls, clock }: { readonly calls: CallNotes; readonly clock: Clock },
): Promise<void> {
  const over = new AbortController()
  const stopping = calls.left.map((call) => dispatcher.abandon(call, over.signal).catch(() => {}))
  await Promise.race([Promise.all(stopping), sleep(clock, LIMIT_MS, over.signal).catch(() => {})])
  over.abort()
  calls.remove(calls.left)
}
