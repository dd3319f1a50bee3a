import { setTimeout as pause } from 'node:timers/promises'

/** What clients sent, and what they were told. */
export interface LedgerBook {
  /** Tickets that clients were told of, by event. */
  readonly told: Map<string, Set<string>>
  /** Sent, and not answered: the server died. They are sent again with the same key. */
  readonly unanswered: string[]
  /** Answers that no client should get. */
  readonly violations: string[]
  sent: number
}

export const newBook = (): LedgerBook => ({ told: new Map(), unanswered: [], violations: [], sent: 0 })

const PAUSE_MS = 40

/** Sends event after event until the signal aborts or the server is gone. */
export async function sendEvents(url: string, book: LedgerBook, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const id = book.unanswered.shift() ?? `evt_${++book.sent}`
    if (!(await send(url, id, book))) return
    await pause(PAUSE_MS, undefined, { signal }).catch(() => {})
  }
}

/** Whoever heard nothing asks again, with the same key: that must not make a second ticket. */
export async function sendUnanswered(url: string, book: LedgerBook): Promise<void> {
  for (const id of book.unanswered.splice(0)) await send(url, id, book)
}

/** False: the server is gone. */
async function send(url: string, id: string, book: LedgerBook): Promise<boolean> {
  try {
    const response = await fetch(`${url}/event`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async', 'idempotency-key': id },
      body: JSON.stringify({ id, content: `Count for ${id}.` }),
    })
    if (response.status !== 202) {
      book.violations.push(`${id} was answered ${response.status}: ${await response.text()}`)
      return true
    }
    // The head is the promise; a server that dies before the body was read has made it, too.
    const ticket = response.headers.get('location')?.split('/').at(-1) ?? 'no ticket'
    book.told.set(id, (book.told.get(id) ?? new Set()).add(ticket))
    await response.text()
    return true
  } catch {
    if (!book.told.has(id)) book.unanswered.push(id)
    return false
  }
}

/** Resolves when all tickets have ended, or when some are held and nobody has worked for so long. */
export async function untilDone(url: string, idleMs: number): Promise<void> {
  let idleSince: number | undefined
  for (;;) {
    const stats = (await (await fetch(`${url}/tickets/stats`)).json()) as Record<string, number>
    const { queued = 0, in_progress = 0, running_here = 0 } = stats
    if (queued + in_progress === 0) return
    idleSince = queued + running_here === 0 ? (idleSince ?? performance.now()) : undefined
    if (idleSince !== undefined && performance.now() - idleSince > idleMs) return
    await pause(20)
  }
}
