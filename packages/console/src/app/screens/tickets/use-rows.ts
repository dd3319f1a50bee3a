import { useEffect, useRef, useState } from 'preact/hooks'
import type { TicketRow } from '../../api/tickets.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'

interface RowsOptions {
  readonly open: (row: TicketRow) => void
  readonly loadMore: () => void
}

/**
 * Moves the focus through a table: one row is in the order of Tab, the keys move it. The focused row is known by the id
 * of its ticket, so that rows that come or go do not move it; if it is the one that goes, its neighbour takes over.
 */
export function useRows(rows: readonly TicketRow[], { open, loadMore }: RowsOptions) {
  const [currentId, setCurrentId] = useState<string>()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const lastIndex = useRef(0)
  const body = useRef<HTMLTableSectionElement>(null)
  const found = rows.findIndex(({ id }) => id === currentId)
  const index = found === -1 ? Math.min(lastIndex.current, Math.max(0, rows.length - 1)) : found
  useEffect(() => {
    lastIndex.current = index
  }, [index])
  const goTo = (to: number) => {
    const row = rows[Math.min(Math.max(0, to), rows.length - 1)]
    if (row === undefined) return
    setCurrentId(row.id)
    body.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(row.id)}"]`)?.focus()
  }
  const isInside = () => body.current?.contains(document.activeElement) === true
  const toggle = (row: TicketRow | undefined) => {
    if (row === undefined) return
    setSelected((before) => (before.has(row.id) ? without(before, row.id) : new Set([...before, row.id])))
  }
  const extend = (step: number) => {
    const [from, to] = [rows[index], rows[index + step]]
    setSelected((before) => new Set([...before, ...[from, to].flatMap((row) => (row ? [row.id] : []))]))
    goTo(index + step)
  }
  // The first press only shows where one is.
  const move = (step: number) => goTo(isInside() ? index + step : index)
  useShortcuts({
    'list.down': () => move(1),
    'list.up': () => move(-1),
    'list.top': () => goTo(0),
    'list.bottom': () => goTo(rows.length - 1),
    'list.open': () => isInside() && rows[index] && open(rows[index]),
    'list.select': () => isInside() && toggle(rows[index]),
    'list.extendDown': () => extend(1),
    'list.extendUp': () => extend(-1),
    'list.more': loadMore,
  })
  return {
    body,
    index,
    selected: rows.filter(({ id }) => selected.has(id)),
    setCurrentId,
    clear: () => setSelected(new Set()),
  }
}

function without(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return new Set([...ids].filter((one) => one !== id))
}
