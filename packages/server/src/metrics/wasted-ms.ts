import type { AttemptRecord } from '@ai-ticket/core'

/**
 * For how long a backend may have worked on a call whose text nobody got, in milliseconds. A call that was answered is no
 * waste, nor one that never reached the server or that it refused with a status; of the rest nobody knows when the
 * first token came, so the whole call counts.
 */
export function wastedMs({ result, stopped, status, duration_ms }: Readonly<AttemptRecord>): number {
  const generated = result !== 'completed' && result !== 'endpoint_missing' && stopped !== 'not_sent'
  return generated && (status === undefined || status < 300) ? duration_ms : 0
}

/** Ends that come from outside: the caller left, his time was up, the desk closes. */
const FROM_OUTSIDE: ReadonlySet<string> = new Set(['cancelled', 'deadline_exceeded', 'shutting_down'])

export const wasteReason = ({ result }: Readonly<AttemptRecord>): 'abandoned' | 'failed' =>
  FROM_OUTSIDE.has(result) ? 'abandoned' : 'failed'
