import { useEffect, useRef } from 'preact/hooks'
import type { DeskBody } from '../../api/desk.ts'
import { listTickets } from '../../api/tickets.ts'
import { lastLook } from '../../parts/last-look.ts'
import { useResource } from '../../parts/use-resource.ts'

/** Newest failures that are looked at; more are not told apart. */
const LOOK = 200

/**
 * How many tickets failed since Dead letters was last open in this browser; undefined: the answer has not come. Asks when the
 * number of failed ones changes.
 */
export function useFailed(desk: DeskBody | undefined): number | undefined {
  const failed = desk?.tickets?.failed ?? 0
  const known = useResource(desk === undefined ? 'nothing yet' : 'failed since', async (signal) =>
    failed === 0
      ? { ok: true as const, status: 200, value: { rows: [] } }
      : listTickets({ status: 'failed' }, { limit: LOOK, signal }),
  )
  const asked = useRef(failed)
  useEffect(() => {
    if (asked.current !== failed) known.reload()
    asked.current = failed
  }, [failed])
  const since = lastLook()
  return known.value?.rows.filter(({ finished_at: at }) => at !== null && at > since).length
}
