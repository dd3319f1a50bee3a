import { setTimeout as pause } from 'node:timers/promises'
import type { Choice } from '@ai-ticket/testkit'
import type { Receiver } from '../callback-receiver.ts'
import type { HttpHistory, SentEvent, TicketRead } from './history.ts'

/** Where servers are at this moment. */
export type Addresses = () => readonly string[]

/** A client that hears nothing for so long gives up, and does not know. */
const PATIENCE_MS = 4_000
const PAUSE_MS = 15

/** Sends events and looks at tickets until it is told to stop, and writes down what it hears. */
export async function actAsClient(
  history: HttpHistory,
  { choice, addresses, signal }: { choice: Choice; addresses: Addresses; signal: AbortSignal },
): Promise<void> {
  const undecided: SentEvent[] = []
  while (!signal.aborted) {
    const all = addresses()
    if (all.length > 0) {
      const url = choice.pick(all)
      const known = history.sent.flatMap(({ ticketId }) => ticketId ?? [])
      // Some leave in the middle.
      const patienceMs = choice.happens(0.15) ? choice.between(1, 30) : PATIENCE_MS
      if (known.length > 0 && choice.happens(0.5)) {
        await look(history, { url, ticketId: choice.pick(known), patienceMs })
      } else {
        const again = choice.happens(0.5) ? undecided.shift() : undefined
        const sent = await send(history, { url, event: again ?? newEvent(history, choice), patienceMs })
        if (sent.ticketId === undefined && sent.key !== undefined) undecided.push(sent)
      }
    }
    await pause(PAUSE_MS, undefined, { signal }).catch(() => {})
  }
}

function newEvent({ sent }: HttpHistory, choice: Choice): Pick<SentEvent, 'eventId' | 'key'> {
  const eventId = `evt_${sent.length}_${choice.between(0, 999_999)}`
  return { eventId, ...(choice.happens(0.6) ? { key: `key ${eventId}` } : {}) }
}

const now = () => performance.now()

async function send(
  history: HttpHistory,
  given: { url: string; event: Pick<SentEvent, 'eventId' | 'key'>; patienceMs: number },
): Promise<SentEvent> {
  const { url, event, patienceMs } = given
  const { eventId, key } = event
  const sent: SentEvent = { eventId, ...(key === undefined ? {} : { key }), start: now() }
  history.sent.push(sent)
  try {
    const response = await fetch(`${url}/event`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', prefer: 'respond-async' },
        ...(key === undefined ? {} : { 'idempotency-key': `"${key}"` }),
      },
      body: JSON.stringify({ id: eventId, content: `Count for ${eventId}.` }),
      signal: AbortSignal.timeout(patienceMs),
    })
    sent.httpStatus = response.status
    const ticketId = response.headers.get('location')?.split('/').at(-1)
    if (ticketId !== undefined) sent.ticketId = ticketId
    sent.end = now()
    const body = (await response.json()) as { readonly details?: string }
    if (body.details !== undefined) sent.details = body.details
  } catch {
    // A refusal whose words were cut off says nothing.
    if (sent.httpStatus !== 202) delete sent.httpStatus
  }
  return sent
}

async function look(
  history: HttpHistory,
  { url, ticketId, patienceMs }: { url: string; ticketId: string; patienceMs: number },
): Promise<void> {
  const read: TicketRead = { ticketId, start: now() }
  history.reads.push(read)
  try {
    const response = await fetch(`${url}/tickets/${ticketId}`, { signal: AbortSignal.timeout(patienceMs) })
    const { status, outcome } = (await response.json()) as { status: TicketRead['status']; outcome?: unknown }
    read.httpStatus = response.status
    if (response.status === 200) {
      if (status !== undefined) read.status = status
      if (outcome !== undefined) read.outcome = JSON.stringify(outcome)
    }
    read.end = now()
  } catch {
    // No answer, or half of one.
  }
}

/** Whoever was not told of a ticket and has a key asks once more, when all is well. */
export async function askOnceMore(history: HttpHistory, url: string): Promise<void> {
  const told = new Set(history.sent.flatMap(({ key, ticketId }) => (ticketId === undefined ? [] : [key])))
  const open = new Map(
    history.sent.filter(({ key }) => key !== undefined && !told.has(key)).map((one) => [one.key, one]),
  )
  for (const event of open.values()) await send(history, { url, event, patienceMs: 20_000 })
}

export function noteCallbacks(history: HttpHistory, { received }: Receiver): void {
  for (const { body, headers } of received) {
    const { data } = JSON.parse(body) as { data: { id: string; outcome: unknown } }
    history.callbacks.push({
      ticketId: data.id,
      webhookId: String(headers['webhook-id']),
      body,
      outcome: JSON.stringify(data.outcome),
    })
  }
}
