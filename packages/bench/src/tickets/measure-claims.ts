import type { ClaimRequest, NewTicket, TicketStore } from '@ai-ticket/tickets'
import { quantile } from '../numbers/statistics.ts'

/** What waits in a store when a claim is measured. */
export interface Backlog {
  readonly name: string
  /** Tickets that are due. */
  readonly waiting: number
  readonly senders: number
  /** Tickets that are not due for an hour, of the same senders. */
  readonly held: number
}

export const BACKLOGS: readonly Backlog[] = [
  { name: '100,000 of one sender', waiting: 100_000, senders: 1, held: 0 },
  { name: '100,000 of 1,000 senders', waiting: 100_000, senders: 1_000, held: 0 },
  { name: '50,000 of ten senders, 50,000 held back', waiting: 50_000, senders: 10, held: 50_000 },
  { name: '50,000 of 1,000 senders, 50,000 held back', waiting: 50_000, senders: 1_000, held: 50_000 },
]

export interface ClaimFigure extends Backlog {
  readonly medianMs: number
  readonly p95Ms: number
  /** The same where the claim looks ahead for a ticket whose prompt is warm. */
  readonly choosingMs: number
}

const OWNER = { worker: 'bench', session: 'bench' }
/** Callers at a time: more of them share more commits. */
const GROUP = 1_000
const HOUR = 3_600_000

/** How long it takes to claim one ticket out of a backlog. */
export async function measureClaims(
  store: TicketStore,
  backlog: Backlog,
  { claims, now }: { readonly claims: number; readonly now: number },
): Promise<ClaimFigure> {
  await fill(store, backlog, now)
  await store.holdName(OWNER.worker)
  const times: number[] = []
  const choosing: number[] = []
  for (let number = 0; number < claims; number++) {
    times.push(await timeClaim(store, {}))
    choosing.push(await timeClaim(store, { choose: (line) => line.slice(-1) }))
  }
  const medianMs = quantile(times, 0.5)
  return { ...backlog, medianMs, p95Ms: quantile(times, 0.95), choosingMs: quantile(choosing, 0.5) }
}

async function timeClaim(store: TicketStore, request: Pick<ClaimRequest, 'choose'>): Promise<number> {
  const startedAt = performance.now()
  const { length } = await store.claim({ owner: OWNER, leaseMs: HOUR, limit: 1, ...request })
  if (length !== 1) throw new Error(`A claim gave ${length} tickets instead of one.`)
  return performance.now() - startedAt
}

async function fill(store: TicketStore, { waiting, senders, held }: Backlog, now: number): Promise<void> {
  const total = waiting + held
  for (let start = 0; start < total; start += GROUP) {
    const some = Array.from({ length: Math.min(GROUP, total - start) }, (_, index) => start + index)
    const accepted = await Promise.all(
      some.map((number) =>
        store.accept(ticket(number, { senders, notBefore: number < held ? now + HOUR : undefined })),
      ),
    )
    const refused = accepted.find(({ type }) => type !== 'created')
    if (refused) throw new Error(`A ticket was not accepted: ${refused.type}.`)
  }
}

function ticket(
  number: number,
  { senders, notBefore }: { readonly senders: number; readonly notBefore: number | undefined },
): NewTicket {
  const sender = `sender-${number % senders}`
  const id = `evt_${number}`
  return {
    event: { id, system: `Instructions of ${sender}. `.repeat(20), content: `Letter ${number}.` },
    eventId: id,
    caller: sender,
    ...(notBefore === undefined ? {} : { notBefore }),
  }
}
