import type { Fence } from '../../ticket/ticket.ts'
import type { ClaimStanding } from '../../ticket/ticket-store.ts'
import type { Queryable } from './database.ts'

/** All claims of a server in one statement, as often as it likes: nobody else is told. */
export async function extendLeases(
  at: Queryable,
  fences: readonly Fence[],
  leaseUntil: number,
): Promise<readonly ClaimStanding[]> {
  const rows = await at.query(
    `UPDATE tickets SET lease_until = $3 FROM unnest($1::text[], $2::integer[]) AS held (id, token)
      WHERE tickets.id = held.id AND tickets.token = held.token AND status = 'in_progress'
      RETURNING tickets.id, tickets.token, cancel_requested_at`,
    [fences.map(({ id }) => id), fences.map(({ token }) => token), leaseUntil],
  )
  const standings = new Map<string, ClaimStanding>(
    rows.map((row) => [`${row.id} ${row.token}`, row.cancel_requested_at === null ? 'held' : 'cancelling']),
  )
  return fences.map(({ id, token }) => standings.get(`${id} ${token}`) ?? 'lost')
}
