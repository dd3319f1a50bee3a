import type { Dispatcher } from '@ai-ticket/core'
import type { CallNotes } from './lock-output.ts'

/**
 * Stops what a killed run has left generating, for nobody waits for it. Resolves when all have stopped, or nobody can say:
 * what can be done for them has been done then, and the notes are gone.
 */
export async function stopLeftCalls(
  dispatcher: Pick<Dispatcher, 'abandon'>,
  { left, remove }: CallNotes,
): Promise<void> {
  await Promise.allSettled(left.map((call) => dispatcher.abandon(call)))
  remove(left)
}
