import type { TicketStore } from '@ai-ticket/tickets'
import { LIST_QUESTIONS } from './list-questions.ts'

export interface ListFigure {
  readonly what: string
  /** Milliseconds. */
  readonly median: number
  readonly p95: number
  /** Tickets on the last page that was read. */
  readonly found: number
}

/** Asks each question so often, after two that do not count. */
export async function measureLists(
  store: TicketStore,
  { total, now, repeats }: { total: number; now: number; repeats: number },
): Promise<readonly ListFigure[]> {
  const figures: ListFigure[] = []
  for (const { what, query } of LIST_QUESTIONS) {
    figures.push({ what, ...(await measure((at) => store.list(query(at, { total, now })), repeats)) })
  }
  figures.push({ what: 'GET /tickets/stats', ...(await measure(() => store.stats(), repeats)) })
  return figures
}

async function measure(ask: (at: number) => Promise<object>, repeats: number) {
  const times: number[] = []
  let found = 0
  for (let repeat = -2; repeat < repeats; repeat++) {
    const startedAt = performance.now()
    const page = await ask((repeat + 2) / (repeats + 2))
    if (repeat >= 0) times.push(performance.now() - startedAt)
    found = 'tickets' in page && Array.isArray(page.tickets) ? page.tickets.length : 0
  }
  times.sort((one, other) => one - other)
  return { median: at(times, 0.5), p95: at(times, 0.95), found }
}

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
