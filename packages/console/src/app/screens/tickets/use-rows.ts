import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { TicketRow } from '../../api/tickets.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import type { LeftList } from '../../parts/ticket-views.ts'

interface RowsOptions {
  readonly open: (row: TicketRow) => void
  readonly loadMore: () => void
  /** As it was when somebody left it: it comes back so. */
  readonly left: LeftList | undefined
}

/** Goes back to the place of a list that was left; before its rows are there, the page has none. */
function useComeBack(left: LeftList | undefined, hasRows: boolean, enter: (left: LeftList) => void) {
  useLayoutEffect(() => {
    if (left === undefined || !hasRows) return
    scrollTo(0, left.scrollY)
    enter(left)
  }, [left, hasRows])
}

/**
 * Moves the focus through a table: one row is in the order of Tab, the keys move it. The focused row is known by the id
 * of its ticket, so that rows that come or go do not move it; if it is the one that goes, its neighbour takes over.
 */
export function useRows(rows: readonly TicketRow[], { open, loadMore, left }: RowsOptions) {
  const [currentId, setCurrentId] = useState(left?.currentId)
  const { selected, setSelected, toggle, select } = useSelected(left)
  const lastIndex = useRef(0)
  const body = useRef<HTMLTableSectionElement>(null)
  const found = rows.findIndex(({ id }) => id === currentId)
  const index = found === -1 ? Math.min(lastIndex.current, Math.max(0, rows.length - 1)) : found
  useEffect(() => {
    lastIndex.current = index
  }, [index])
  const focus = (id: string) => focusRow(body.current, id)
  const goTo = (to: number) => {
    const row = rows[Math.min(Math.max(0, to), rows.length - 1)]
    if (row === undefined) return
    setCurrentId(row.id)
    // A row far out of sight is drawn only once it is the current one.
    if (!focus(row.id)) requestAnimationFrame(() => focus(row.id))
  }
  useComeBack(left, rows.length > 0, ({ currentId: id }) => {
    setCurrentId(id)
    // It comes into sight, if somebody scrolled away from it or went on from another ticket.
    if (id !== undefined) focus(id)
  })
  const isInside = () => body.current?.contains(document.activeElement) === true
  const extend = (step: number) => {
    select([rows[index], rows[index + step]])
    goTo(index + step)
  }
  // The first press only shows where one is.
  const move = (step: number) => goTo(isInside() ? index + step : index)
  useShortcuts({
    'list.down': () => move(1),
    'list.up': () => move(-1),
    'list.top': () => goTo(0),
    'list.bottom': () => goTo(rows.length - 1),
    'list.open': () => isInside() && rows[index] !== undefined && open(rows[index]),
    'list.select': () => isInside() && toggle(rows[index]),
    'list.extendDown': () => extend(1),
    'list.extendUp': () => extend(-1),
    'list.more': loadMore,
  })
  return {
    body,
    index,
    current: rows[index],
    currentId,
    selected: rows.filter(({ id }) => selected.has(id)),
    selectedIds: selected,
    setCurrentId,
    isInside,
    /** Puts the focus on the current row; false: there is none. */
    enter: () => {
      goTo(index)
      return isInside()
    },
    clear: () => setSelected(new Set()),
  }
}

/** False: it is not drawn. */
function focusRow(body: HTMLElement | null, id: string): boolean {
  const row = body?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)
  row?.focus()
  return row != null
}

/** The ids of selected rows. */
function useSelected(left: LeftList | undefined) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(left?.selected ?? new Set())
  useLayoutEffect(() => {
    if (left !== undefined) setSelected(left.selected)
  }, [left])
  const toggle = (row: TicketRow | undefined) => {
    if (row === undefined) return
    setSelected((before) => (before.has(row.id) ? without(before, row.id) : new Set([...before, row.id])))
  }
  const select = (rows: readonly (TicketRow | undefined)[]) =>
    setSelected((before) => new Set([...before, ...rows.flatMap((row) => (row ? [row.id] : []))]))
  return { selected, setSelected, toggle, select }
}

function without(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return new Set([...ids].filter((one) => one !== id))
}
