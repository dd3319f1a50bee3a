import type { TicketStore } from '@ai-ticket/tickets'

const CONTENT = 'Write a short and friendly reply to the letter of our customer. '.repeat(8)

/** As a store accepts: only whether it did is looked at. */
interface Accepting {
  accept(ticket: Parameters<TicketStore['accept']>[0]): Promise<{ readonly type: string }>
}

/** Tickets a second that so many callers have on disk, each sending its next one when the last one is. */
export async function measureAccepts(
  store: Accepting,
  { callers, windowMs, metadata = false }: { callers: number; windowMs: number; metadata?: boolean },
): Promise<number> {
  let accepted = 0
  const startedAt = performance.now()
  const call = async (caller: number) => {
    for (let number = 0; performance.now() - startedAt < windowMs; number++) {
      const id = `evt_${caller}_${number}`
      const more = metadata ? { metadata: { source: 'mail', row: id } } : {}
      const { type } = await store.accept({
        event: { id, content: CONTENT, ...more },
        eventId: id,
        caller: 'ci',
      })
      if (type !== 'created') throw new Error(`A ticket was not accepted: ${type}.`)
      accepted += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  return accepted / ((performance.now() - startedAt) / 1_000)
}
