import type { FailureCode, FailureOutcome, Outcome } from '@ai-ticket/core'
import { FAILURE_CODES, FAILURES, LONGEST_RETRY_AFTER_MS, readRetryAfter, systemClock } from '@ai-ticket/core'
import { type JsonObject, objectIn } from '../program/ask-server.ts'
import type { Answer, Ask } from './ask-here.ts'

interface AskThereOptions {
  /** Without a slash at the end. */
  readonly url: string
  readonly apiKey: string | undefined
  readonly fetch?: typeof fetch
}

interface Reply {
  /** 0: nobody answered, or somebody who does not speak our JSON. */
  readonly status: number
  readonly retryAfterMs: number | undefined
  readonly body: JsonObject
}

const NOBODY: Reply = { status: 0, retryAfterMs: undefined, body: {} }

/** Longer than this, nothing between here and there need keep a silent connection. */
const WAIT = '30s'
const TIMEOUT_MS = 60_000

/**
 * Asks a running server, as a ticket: it is on the server's disk before anything is asked, under a key that is the same
 * in every run. Whatever breaks, asking again finds the same ticket; the server itself repeats what may pass.
 */
export function askThere({ url, apiKey, fetch: send = fetch }: AskThereOptions): Ask {
  async function call(path: string, init: RequestInit = {}): Promise<Reply> {
    const headers = {
      ...init.headers,
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    }
    try {
      const response = await send(`${url}${path}`, {
        ...init,
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), '', {
        wallTimeMs: systemClock.wallTime(),
        longestMs: LONGEST_RETRY_AFTER_MS.backend,
      })
      const body = objectIn(await response.text())
      return body === undefined ? NOBODY : { status: response.status, retryAfterMs, body }
    } catch {
      return NOBODY
    }
  }

  return async (event, key): Promise<Answer> => {
    let reply = await call('/tickets', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key() },
      body: JSON.stringify(event),
    })
    const { id } = reply.body
    while (reply.status >= 200 && reply.status < 300) {
      // What comes with a ticket is of a server of ours; a later one may have codes that this release does not know.
      if (reply.body.outcome) return { type: 'final', outcome: reply.body.outcome as Outcome }
      // Another program answers 200, too. Without a ticket to wait for, it would be asked again at once, forever.
      if (typeof id !== 'string') return refused(reply, { url, event })
      reply = await call(`/tickets/${id}?wait=${WAIT}`)
    }
    // Removed by the server's retention: the same key makes a new one.
    if (reply.status === 404 && id !== undefined) return again(reply, 'The ticket is gone from the server.')
    return refused(reply, { url, event })
  }
}

function refused(reply: Reply, { url, event }: { url: string; event: unknown }): Answer {
  const { status, body } = reply
  if (status === 0) return again(reply, `No AI Ticket server answers at ${url}.`)
  const error = FAILURE_CODES.find((code) => code === body.error)
  if (error === 'unauthorised' || error === 'forbidden') {
    const details = `The server at ${url} refused the key. Put one that it knows into AI_TICKET_API_KEYS.`
    return { type: 'hopeless', details, reason: 'no_permission' }
  }
  if (error === undefined || error === 'not_found' || error === 'method_not_allowed') {
    const details = `What answers at ${url} has no tickets (HTTP ${status}). Name an AI Ticket server.`
    return { type: 'hopeless', details, reason: 'unavailable' }
  }
  // A bug of the server says nothing about the line, and the next release may answer it.
  if (FAILURES[error].passes !== 'never' || error === 'internal_error') {
    return again(reply, String(body.details), error)
  }
  return { type: 'final', outcome: { ...failure(error, String(body.details)), id: idOf(event) } }
}

/** The event was not taken, so it has no other id. */
const idOf = (event: unknown): string =>
  typeof event === 'object' && event !== null && 'id' in event && typeof event.id === 'string' ? event.id : ''

const again = (
  { retryAfterMs }: Reply,
  details: string,
  error: FailureCode = 'api_connection_error',
): Answer => ({
  type: 'again',
  outcome: {
    ...failure(error, details),
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  },
  isAway: true,
})

const failure = (error: FailureCode, details: string): FailureOutcome => ({
  error,
  details,
  id: '',
  duration_ms: 0,
  attempts: [],
})
