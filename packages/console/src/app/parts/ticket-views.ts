import { signal } from '@preact/signals'
import type { TicketPage } from '../api/tickets.ts'

const STORED = 'ai-ticket-console-views'
/** More would be no shortcut any more. */
const MOST_PINNED = 30

/** Filters of the list that the reader wants at hand. */
export interface PinnedView {
  /** As in the address, like `?status=failed`; empty: all tickets. */
  readonly query: string
  /** As in the search field. */
  readonly words: string
}

/** The newest first. Kept in this browser. */
export const pinnedViews = signal<readonly PinnedView[]>(readViews(localStorage.getItem(STORED)))

/** Pins a view, or unpins it. */
export function togglePin(view: PinnedView): void {
  const others = pinnedViews.value.filter(({ query }) => query !== view.query)
  const isNew = others.length === pinnedViews.value.length
  pinnedViews.value = isNew ? [view, ...others].slice(0, MOST_PINNED) : others
  localStorage.setItem(STORED, JSON.stringify(pinnedViews.value))
}

/** What another version stored may be anything. */
function readViews(stored: string | null): readonly PinnedView[] {
  try {
    const read: unknown = JSON.parse(stored ?? '[]')
    return Array.isArray(read) ? read.filter(isView) : []
  } catch {
    return []
  }
}

function isView(value: unknown): value is PinnedView {
  const { query, words } = Object(value) as { readonly query?: unknown; readonly words?: unknown }
  return typeof query === 'string' && typeof words === 'string'
}

/** A list as somebody left it. */
export interface LeftList {
  readonly query: string
  readonly page: TicketPage
  /** The row that had the focus last. */
  readonly currentId: string | undefined
  readonly selected: ReadonlySet<string>
  readonly scrollY: number
}

/** By the entry of the history. Other than what the address holds, this is of the tab and of this visit only. */
const left = new Map<string, LeftList>()
const MOST_LEFT = 20
let newest: string | undefined

/** Notes how the list of a history entry looks now. */
export function noteList(entry: string, list: LeftList): void {
  left.delete(entry)
  left.set(entry, list)
  newest = entry
  const [oldest] = left.keys()
  if (left.size > MOST_LEFT && oldest !== undefined) left.delete(oldest)
}

/** The list of this entry as it was left; undefined: it is shown for the first time. */
export const leftList = (entry: string, query: string): LeftList | undefined => {
  const list = left.get(entry)
  return list?.query === query ? list : undefined
}

/**
 * The ticket `step` rows below this one in the list that was shown last, which then has it as its current row. Undefined:
 * there is none, or this ticket is not in it.
 */
export function stepInList(id: string, step: 1 | -1): string | undefined {
  const list = newest === undefined ? undefined : left.get(newest)
  const at = list?.page.rows.findIndex((row) => row.id === id) ?? -1
  const next = at === -1 ? undefined : list?.page.rows[at + step]?.id
  if (newest !== undefined && list !== undefined && next !== undefined)
    left.set(newest, { ...list, currentId: next })
  return next
}

/** A name for where one is in the history of the tab: Back comes to the same one, a link to a new one. */
export function historyEntry(): string {
  const state: unknown = history.state
  if (typeof state === 'object' && state !== null && 'entry' in state && typeof state.entry === 'string')
    return state.entry
  const entry = `${performance.timeOrigin}-${performance.now()}-${entries++}`
  history.replaceState({ entry }, '')
  return entry
}

let entries = 0
