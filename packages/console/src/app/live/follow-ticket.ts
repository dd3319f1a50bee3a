import type { Outcome } from '@ai-ticket/core'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { openStream, type Problem } from '../api/client.ts'

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

interface Heard {
  readonly event?: string | undefined
  readonly id?: string | undefined
  readonly data: string
}

async function readOnce(
  id: string,
  { signal, lastEventId }: { readonly signal: AbortSignal; readonly lastEventId: string | undefined },
  take: (event: Heard) => boolean,
): Promise<'ended' | Problem> {
  try {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const opened = await openStream(`tickets/${encodeURIComponent(id)}`, { signal, headers })
    if (!opened.ok) return opened.problem
    const events = opened.value
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .pipeThrough(new EventSourceParserStream())
    for await (const event of events) if (take(event)) return 'ended'
    return CUT
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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
