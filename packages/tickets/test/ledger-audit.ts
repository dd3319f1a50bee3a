import type { KoboldSimulator } from '@ai-ticket/testkit'
import type { Ticket, TicketStore } from '../src/index.ts'
import { isFinished } from '../src/ticket/ticket.ts'
import type { Receiver } from './callback-receiver.ts'
import type { LedgerBook } from './ledger-clients.ts'

export interface Audit {
  /** Runs whose process died. */
  readonly crashes: number
  /** Generations that a dead process had left running. */
  readonly orphans: number
  /** What must not be; empty: every promise was kept. */
  readonly violations: readonly string[]
}

/** Holds what clients were told against what the store has and what the GPU was asked for. */
export async function audit(
  store: TicketStore,
  book: LedgerBook,
  { simulator, receiver }: { simulator: Pick<KoboldSimulator, 'calls' | 'aborts'>; receiver: Receiver },
): Promise<Audit> {
  const callbacks = toldOf(receiver)
  const violations = [...book.violations]
  let crashes = 0
  for (const [eventId, told] of book.told) {
    const { tickets } = await store.list({ eventId })
    const [ticket] = tickets
    for (const id of told)
      if (ticket?.id !== id) violations.push(`${eventId}: ${id} was promised and is lost`)
    if (tickets.length > 1) violations.push(`${eventId} has ${tickets.length} tickets`)
    if (ticket)
      violations.push(
        ...violationsOf(ticket),
        ...generationsOf(ticket, simulator),
        ...callbacksOf(ticket, callbacks),
      )
    crashes += ticket?.crashes ?? 0
  }
  const left = simulator.calls.filter(({ clientGoneAt }) => clientGoneAt !== undefined)
  for (const { genkey, body } of left) {
    if (simulator.aborts.every((abort) => abort.genkey !== genkey))
      violations.push(`the generation for ${eventOf(body)} was left to itself`)
  }
  return { violations, crashes, orphans: left.length }
}

function violationsOf(ticket: Ticket): string[] {
  const { eventId, runs, retries, crashes, attempts, state } = ticket
  const found: string[] = []
  if (!isFinished(ticket)) found.push(`${eventId} has not ended`)
  else if (state.status !== 'completed') found.push(`${eventId} is ${state.status}`)
  if (runs !== 1 + retries + crashes) found.push(`${eventId} ran ${runs} times for ${crashes} crashes`)
  const answers = attempts.filter(({ result }) => result === 'completed')
  if (answers.length !== 1) found.push(`${eventId} has ${answers.length} answers`)
  return found
}

/** The GPU was asked once for each run, and never for a ticket that it was still busy with. */
function generationsOf({ eventId, runs }: Ticket, { calls }: Pick<KoboldSimulator, 'calls'>): string[] {
  const own = calls.filter(({ body }) => eventOf(body) === eventId)
  const found = own.length > runs ? [`${eventId} was sent ${own.length} times in ${runs} runs`] : []
  for (const [index, call] of own.entries()) {
    const endedBefore = own[index - 1]?.endedAt ?? Number.POSITIVE_INFINITY
    if (index > 0 && call.startedAt < endedBefore) found.push(`${eventId} was generated twice at one time`)
  }
  return found
}

/** Whose end the receiver was told, and under which ids: more often than once, but never under another one. */
export function toldOf({ received }: Pick<Receiver, 'received'>): ReadonlyMap<string, ReadonlySet<unknown>> {
  const told = new Map<string, Set<unknown>>()
  for (const { body, headers } of received) {
    const { data } = JSON.parse(body) as { data: { id: string } }
    told.set(data.id, (told.get(data.id) ?? new Set()).add(headers['webhook-id']))
  }
  return told
}

function callbacksOf({ id, eventId }: Ticket, told: ReadonlyMap<string, ReadonlySet<unknown>>): string[] {
  const webhookIds = [...(told.get(id) ?? [])]
  if (webhookIds.length === 1 && webhookIds[0] === id.replace('tkt_', 'msg_')) return []
  return [`${eventId} was called back as ${webhookIds.join(' and ') || 'nothing'}`]
}

const eventOf = (body: unknown) => /Count for (evt_\d+)\./.exec(JSON.stringify(body) ?? '')?.[1]
