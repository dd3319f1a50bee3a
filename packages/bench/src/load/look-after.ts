import { setTimeout as sleep } from 'node:timers/promises'

/** What a server still holds when nobody waits for it any more, and what it has counted. */
export interface Aftermath {
  /** Events that run or wait, and slots that are taken. */
  readonly leftInHand: number
  readonly wastedSeconds: number
  readonly tickets: Readonly<Record<string, number>>
  readonly loopDelayP99Ms: number
}

const PATIENCE_MS = 10_000
const LOOK_EVERY_MS = 100

/** Looks until nothing runs or waits any more, or for 10 s. */
export async function lookAfter(url: string): Promise<Aftermath> {
  const endAt = performance.now() + PATIENCE_MS
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const leftInHand =
      sumOf(metrics, 'ai_ticket_events_in_hand') + sumOf(metrics, 'ai_ticket_backend_in_flight')
    if (leftInHand === 0 || performance.now() > endAt) {
      const tickets = await countTickets(url)
      const wastedSeconds = sumOf(metrics, 'ai_ticket_wasted_generation_seconds_total')
      const loopDelayP99Ms = sumOf(metrics, 'ai_ticket_event_loop_delay_seconds', 'percentile="99"') * 1000
      return { leftInHand, wastedSeconds, tickets, loopDelayP99Ms }
    }
    await sleep(LOOK_EVERY_MS)
  }
}

/** The tickets on disk by their status; events that were answered at once are kept beside them and do not count. */
async function countTickets(url: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  let cursor: string | undefined
  do {
    const page = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const list = (await (await fetch(`${url}/tickets?kind=ticket&limit=200${page}`)).json()) as TicketList
    for (const { status } of list.data) counts[status] = (counts[status] ?? 0) + 1
    cursor = list.next_cursor
  } while (cursor !== undefined)
  return counts
}

interface TicketList {
  readonly data: readonly { readonly status: string }[]
  readonly next_cursor?: string
}

/** Of all series of a metric in Prometheus' text format whose labels hold the text; 0 for none. */
export function sumOf(metrics: string, name: string, label = ''): number {
  let sum = 0
  for (const line of metrics.split('\n')) {
    const found = /^(\w+)(\{[^}]*\})? (\S+)$/.exec(line)
    if (found?.[1] === name && (found[2] ?? '').includes(label)) sum += Number(found[3])
  }
  return sum
}
