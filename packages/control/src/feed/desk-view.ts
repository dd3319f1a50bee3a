import type { Dispatcher } from '@ai-ticket/core'
import { StoreUnavailable, type TicketStore } from '@ai-ticket/tickets'
import type { DeskBody } from '../bodies/feed.ts'

/** Of callbacks that were given up, so many are counted. */
const MOST_DEAD = 200

const MINUTE_MS = 60_000

/** How the desk is, asked again at each call; it asks no backend. */
export function createDeskView({
  dispatcher,
  store,
}: {
  readonly dispatcher: Pick<Dispatcher, 'report'>
  readonly store: TicketStore | undefined
}) {
  return async (): Promise<DeskBody> => {
    const { backends, line } = dispatcher.report()
    return { backends, line, ...(await storeView(store)) }
  }
}

async function storeView(store: TicketStore | undefined): Promise<Omit<DeskBody, 'backends' | 'line'>> {
  if (store === undefined) return { store: { status: 'none' } }
  try {
    const [{ byStatus }, dueInMs = 0, pending, dead] = await Promise.all([
      store.stats(),
      store.nextDueInMs(),
      store.callbacks.pending(),
      store.callbacks.dead(MOST_DEAD),
    ])
    return {
      store: { status: 'available' },
      tickets: { ...byStatus },
      tickets_overdue_ms: Math.floor(Math.max(0, -dueInMs) / MINUTE_MS) * MINUTE_MS,
      callbacks: { pending, dead },
    }
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return { store: { status: 'unavailable', details: error.message } }
  }
}
