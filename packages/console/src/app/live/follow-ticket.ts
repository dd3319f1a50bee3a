import type { Outcome } from '@ai-ticket/core'
import { ask, openStream, type Problem } from '../api/client.ts'
import { type Heard, pause, readEvents } from './read-events.ts'

/** What is heard of a ticket while it runs. */
export type TicketNews =
  | { readonly kind: 'status'; readonly status: string; readonly run: number }
  | { readonly kind: 'delta'; readonly text: string }
  | { readonly kind: 'end'; readonly outcome: Outcome }
  | { readonly kind: 'lost'; readonly problem: Problem; readonly nextTryMs: number }

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 10_000

/**
 * Reads a ticket as it grows, by its server-sent events, until it has ended or the signal is aborted. A stream that breaks
 * is opened again where it was, with growing pauses. It is `fetch`, not `EventSource`, which cannot show a key.
 */
export async function followTicket(
  id: string,
  { signal, hear }: { readonly signal: AbortSignal; readonly hear: (news: TicketNews) => void },
): Promise<void> {
  let lastEventId: string | undefined
  let pauseMs = FIRST_PAUSE_MS
  while (!signal.aborted) {
    const end = await readOnce(id, { signal, lastEventId }, (event) => {
      lastEventId = event.id ?? lastEventId
      pauseMs = FIRST_PAUSE_MS
      const news = newsOf(event)
      if (news) hear(news)
      return news?.kind === 'end'
    })
    if (end === 'ended' || signal.aborted) return
    hear({ kind: 'lost', problem: end, nextTryMs: pauseMs })
    if (end.status >= 400 && end.status < 500 && end.status !== 429) return
    await pause(pauseMs, signal)
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  }
}

/** What is heard of an event that is sent and followed. */
export type SendingNews =
  | TicketNews
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'ticket'; readonly id: string }

/**
 * Sends an event as a ticket whose answer is streamed from its first word, and follows it. Only an event that is sent with
 * `Accept: text/event-stream` is, and its stream does not name the ticket: the Idempotency-Key finds it. A key without the
 * scope `read` may not look, and reads its answer all the same.
 */
export async function sendAndFollow(
  event: object,
  { signal, hear }: { readonly signal: AbortSignal; readonly hear: (news: SendingNews) => void },
): Promise<void> {
  const key = randomKey()
  const opened = await openStream('event', { signal, headers: { 'idempotency-key': key }, body: event })
  if (!opened.ok) return hear({ kind: 'refused', problem: opened.problem })
  const found = await ask<{ data: { id: string }[] }>(`tickets?view=row&limit=1&idempotency_key=${key}`, {
    signal,
  })
  const id = found.ok ? found.value.data[0]?.id : undefined
  if (id !== undefined) hear({ kind: 'ticket', id })
  const hasEnded = await readEvents(opened.value, (heard) => {
    const news = newsOf(heard)
    if (news) hear(news)
    return news?.kind === 'end'
  })
  if (hasEnded || signal.aborted) return
  if (id === undefined) return hear({ kind: 'refused', problem: CUT })
  // From its first word again: a status says so, and the text starts over.
  await followTicket(id, { signal, hear })
}

/** `randomUUID` is for secure contexts only, and a LAN name over plain HTTP is none. */
const randomKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')

async function readOnce(
  id: string,
  { signal, lastEventId }: { readonly signal: AbortSignal; readonly lastEventId: string | undefined },
  take: (event: Heard) => boolean,
): Promise<'ended' | Problem> {
  try {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const opened = await openStream(`tickets/${encodeURIComponent(id)}`, { signal, headers })
    if (!opened.ok) return opened.problem
    return (await readEvents(opened.value, take)) ? 'ended' : CUT
  } catch {
    return CUT
  }
}

const CUT: Problem = { status: 0, code: 'stream_cut', details: 'The stream of this ticket was cut off.' }

function newsOf({ event, data }: Heard): TicketNews | undefined {
  const value: unknown = JSON.parse(data)
  if (event === 'delta') return { kind: 'delta', text: (value as { text: string }).text }
  if (event === 'status') return { kind: 'status', ...(value as { status: string; run: number }) }
  if (event === 'done' || event === 'error') return { kind: 'end', outcome: value as Outcome }
  return undefined
}
