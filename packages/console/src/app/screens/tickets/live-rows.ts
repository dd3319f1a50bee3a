import type { TicketPage, TicketRow } from '../../api/tickets.ts'

/** What the feed told since the list was read. */
export interface HeardRows {
  /** The newest state of each ticket. */
  readonly rows: ReadonlyMap<string, TicketRow>
  /** Of those, the ones that are not shown yet, for they would move what somebody reads. */
  readonly held: ReadonlySet<string>
  /** Changes that were not told one by one. */
  readonly untold: number
}

export const NOTHING_HEARD: HeardRows = { rows: new Map(), held: new Set(), untold: 0 }

/** More than that nobody reads one by one, and a page that is open for a day must not grow. */
const MOST_HEARD = 500

/** A ticket has changed. `isHeld`: if it is new to the list, it waits. */
export function hearRow(before: HeardRows, row: TicketRow, isHeld: boolean): HeardRows {
  if (before.rows.size >= MOST_HEARD && !before.rows.has(row.id))
    return { ...before, untold: before.untold + 1 }
  const held = isHeld && !before.rows.has(row.id) ? new Set([...before.held, row.id]) : before.held
  return { ...before, rows: new Map([...before.rows, [row.id, row]]), held }
}

export const hearMore = (before: HeardRows, count: number): HeardRows => ({
  ...before,
  untold: before.untold + count,
})

export const showHeld = (before: HeardRows): HeardRows => ({ ...before, held: new Set() })

/** The page with what was heard since: its rows as they are now, new ones in their place, and how many wait. */
export function withHeard(
  page: TicketPage,
  { rows: heard, held }: HeardRows,
): { readonly rows: readonly TicketRow[]; readonly waiting: number } {
  if (heard.size === 0) return { rows: page.rows, waiting: 0 }
  const there = new Set(page.rows.map(({ id }) => id))
  const last = page.rows.at(-1)
  // What is older than the last row belongs to a page that was not loaded yet.
  const isInReach = (row: TicketRow) =>
    page.cursor === undefined || last === undefined || newestFirst(row, last) < 0
  const fresh = [...heard.values()].filter((row) => !there.has(row.id) && isInReach(row))
  const shown = fresh.filter(({ id }) => !held.has(id))
  const rows = page.rows.map((row) => heard.get(row.id) ?? row)
  return {
    rows: shown.length === 0 ? rows : [...shown, ...rows].sort(newestFirst),
    waiting: fresh.length - shown.length,
  }
}

/** As the server orders them. */
function newestFirst(one: TicketRow, other: TicketRow): number {
  if (one.created_at !== other.created_at) return one.created_at < other.created_at ? 1 : -1
  return other.seq - one.seq
}
