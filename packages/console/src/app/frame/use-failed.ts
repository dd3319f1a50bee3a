import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { listTickets } from '../api/tickets.ts'
import { liveDesk } from '../live/live.ts'
import { useResource } from '../parts/use-resource.ts'

const STORED = 'ai-ticket-console-looked'

/** When Dead letters was last open in this browser, ISO 8601; empty: never. */
const lastLook = signal(localStorage.getItem(STORED) ?? '')

/** How many tickets have failed since; undefined: the answer has not come. */
export const failedSince = signal<number | undefined>(undefined)

/** Somebody has seen what failed until then. */
export const rememberLook = (until: string): void => {
  if (until <= lastLook.value) return
  lastLook.value = until
  localStorage.setItem(STORED, until)
}

/** Newest failures that are looked at; more are not told apart. */
const LOOK = 200

/** Keeps `failedSince` up to date. Asks when the number of failed ones changes. */
export function useFailed(): void {
  const desk = liveDesk.value
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
  const since = lastLook.value
  const isKnown = desk !== undefined && known.value !== undefined
  const count = known.value?.rows.filter(({ finished_at: at }) => at !== null && at > since).length
  useEffect(() => {
    failedSince.value = isKnown ? count : undefined
  }, [isKnown, count])
}
