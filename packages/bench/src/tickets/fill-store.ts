import type { TicketStore } from '@ai-ticket/tickets'
import { sampleEntry } from './sample-entries.ts'

const GROUP = 1_000

/** Fills a store with answered events and a few that wait. Gives back the tickets a second that it took in. */
export async function fillStore(
  store: TicketStore,
  { total, now, waiting }: { total: number; now: number; waiting: number },
): Promise<number> {
  const startedAt = performance.now()
  for (let start = 0; start < total; start += GROUP) {
    const length = Math.min(GROUP, total - start)
    await store.record(Array.from({ length }, (_, index) => sampleEntry(start + index, { total, now })))
  }
  const perSecond = total / ((performance.now() - startedAt) / 1_000)
  await Promise.all(
    Array.from({ length: waiting }, (_, number) =>
      store.accept({
        event: { id: `evt_w${number}`, content: 'Wait.' },
        eventId: `evt_w${number}`,
        caller: 'ci',
        notBefore: now + 24 * 3_600_000,
      }),
    ),
  )
  return perSecond
}
