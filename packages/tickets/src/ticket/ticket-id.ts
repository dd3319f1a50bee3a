import { randomUUID } from 'node:crypto'

/** A new id `tkt_` + UUID version 7 (RFC 9562): sorts by its time, and nobody can guess it. */
export function createTicketId(wallTimeMs: number): string {
  const time = Math.trunc(wallTimeMs).toString(16).padStart(12, '0')
  // Version 4 with its first 48 bits replaced by the time: the rest is as random, and drawn from Node's own cache.
  return `tkt_${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}
