import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso/router'
import { ticketPath } from '../../api/addresses.ts'
import type { TicketPage, TicketRow } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { feedState } from '../../live/live.ts'
import { screenPath } from '../../navigation.ts'
import { Action } from '../../parts/action.tsx'
import { CallerText } from '../../parts/caller-text.tsx'
import { lateDialog } from '../../parts/dialog.tsx'
import { plural } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'
import { Panel, ProblemNote } from '../../parts/panel.tsx'
import { RowHints, ticketCopies } from '../../parts/scrolling-table.tsx'
import {
  historyEntry,
  type LeftList,
  leftList,
  noteList,
  pinnedViews,
  togglePin,
} from '../../parts/ticket-views.ts'
import { When } from '../../parts/when.tsx'
import { type Filters, filtersOf, queryOf, writeSearch } from './filters.ts'
import { SearchField } from './search-field.tsx'
import { TicketTable } from './ticket-table.tsx'
import styles from './tickets.module.css'
import { useLiveRows } from './use-live-rows.ts'
import { useRows } from './use-rows.ts'
import { useTicketList } from './use-ticket-list.ts'

// Most lists are looked at without them.
const lateParts = () => import('./late-parts.tsx')
const SelectionBar = lateDialog(() => lateParts().then((late) => late.SelectionBar), false)
const Peek = lateDialog(() => lateParts().then((late) => late.Peek), false)
const Nothing = lateDialog(() => lateParts().then((late) => late.Nothing), false)

/** All tickets and recorded events, newest first, by the filters in the address. */
export function TicketsScreen() {
  // Of the route, not of the location, which is another one already while the next screen is loaded.
  const { query } = useRoute()
  const { route } = useLocation()
  const filters = filtersOf(query)
  const show = (next: Filters) => route(`${screenPath('tickets')}${queryOf(next)}`)
  const head = useRef<HTMLDivElement>(null)
  const isAtTop = () => (head.current?.getBoundingClientRect().bottom ?? 0) >= 0
  const { list, loadMore, isLoadingMore, moreProblem, live, left, note } = useList(filters, query, isAtTop)
  const { rows, reload } = live
  const open = ({ id }: TicketRow) => route(ticketPath(id))
  const table = useRows(rows, { open, loadMore, left })
  note(table)
  const [isPeeking, peek] = useState(false)
  const showNew = () => {
    live.show()
    head.current?.scrollIntoView()
  }
  useShortcuts(ticketCopies(() => chosenIn(table, isPeeking)))
  useShortcuts({ reload, 'list.new': showNew, 'list.peek': () => table.isInside() && peek(!isPeeking) })
  useEffect(() => titlePage('Tickets'), [])
  return (
    <>
      <div class={styles.head} ref={head}>
        <h1>Tickets</h1>
        <SearchField filters={filters} show={show} rows={rows} leave={() => table.enter() || focusMain()} />
        <Action does={reload} keys="reload">
          Reload
        </Action>
      </div>
      <FilterChips filters={filters} show={show} />
      <PinnedViews filters={filters} />
      {table.selected.length > 0 && (
        <SelectionBar rows={table.selected} close={table.clear} isPeeking={isPeeking} reload={reload} />
      )}
      <News live={live} show={showNew} />
      <Panel resource={list} rows={12} isAged={'problem' in feedState.value}>
        {(page) =>
          rows.length === 0 && page.cursor === undefined ? (
            <Nothing filters={filters} show={show} />
          ) : (
            <div class={isPeeking ? styles.peeking : undefined}>
              {rows.length > 0 && (
                <TicketTable rows={rows} table={table} isWhole={page.cursor === undefined} open={open} />
              )}
              <Foot page={page} count={rows.length} isLoadingMore={isLoadingMore} loadMore={loadMore} />
              <RowHints />
              {moreProblem && <ProblemNote problem={moreProblem} retry={loadMore} />}
              {isPeeking && table.current && <Peek row={table.current} close={() => peek(false)} />}
            </div>
          )
        }
      </Panel>
    </>
  )
}

/** Those that are selected, or else the one that the focus is on. */
function chosenIn({ selected, current, isInside }: ReturnType<typeof useRows>, isPeeking: boolean): string[] {
  if (selected.length > 0) return selected.map(({ id }) => id)
  return current !== undefined && (isPeeking || isInside()) ? [current.id] : []
}

const focusMain = (): void => document.getElementById('main')?.focus()

/** The list of the address, kept up to date, and as it was left where Back has led to it. */
function useList(filters: Filters, address: object, isAtTop: () => boolean) {
  const entry = useMemo(historyEntry, [address])
  const query = queryOf(filters)
  const left = useMemo(() => leftList(entry, query), [entry, query])
  const hearSince = useRef((_rows: readonly TicketRow[]) => {})
  const known = useTicketList({ filters, entry, left, hearSince: (rows) => hearSince.current(rows) })
  const live = useLiveRows({ filters, list: known.list, isAtTop, catchUp: known.catchUp })
  hearSince.current = (rows) => live.hear(rows, isAtTop())
  const cursor = known.list.value?.cursor
  const latest = useRef<Omit<LeftList, 'scrollY'>>(undefined)
  const isKnown = known.list.value !== undefined
  const note = ({ currentId, selectedIds: selected }: ReturnType<typeof useRows>) => {
    const page = { rows: live.rows, ...(cursor !== undefined && { cursor }) }
    latest.current = isKnown ? { query, page, currentId, selected } : undefined
  }
  useLayoutEffect(() => {
    const keep = () => latest.current && noteList(entry, { ...latest.current, scrollY })
    addEventListener('scroll', keep, { passive: true })
    // The browser would put the page where it was before or after the list does, and not where its row is.
    history.scrollRestoration = 'manual'
    return () => {
      removeEventListener('scroll', keep)
      history.scrollRestoration = 'auto'
    }
  }, [entry])
  useEffect(() => {
    if (latest.current) noteList(entry, { ...latest.current, scrollY })
  })
  return { ...known, live, left, note }
}

/** Views to come back to, and a way to make this one of them. */
function PinnedViews({ filters }: { readonly filters: Filters }) {
  const query = queryOf(filters)
  const pinned = pinnedViews.value
  const isPinned = pinned.some((one) => one.query === query)
  const toggle = () => {
    togglePin({ query, words: writeSearch(filters) || 'all tickets' })
    say(isPinned ? 'This view is no longer pinned.' : 'Pinned: it is here and in the palette.')
  }
  useShortcuts({ 'list.pin': toggle })
  return (
    <nav class={styles.chips} aria-label="Pinned views">
      <Action does={toggle} keys="list.pin">
        {isPinned ? 'Unpin' : 'Pin'}
      </Action>
      {pinned.map(({ query: own, words }) => (
        <a
          key={own}
          href={`${screenPath('tickets')}${own}`}
          aria-current={own === query ? 'page' : undefined}
        >
          <CallerText text={words} />
        </a>
      ))}
    </nav>
  )
}

/** What has come while somebody reads further down: it waits, so that nothing moves under their eyes. */
function News({
  live: { waiting, untold, reload },
  show,
}: {
  readonly live: ReturnType<typeof useLiveRows>
  readonly show: () => void
}) {
  if (waiting === 0 && untold === 0) return null
  return (
    <p class={styles.news}>
      {waiting > 0 && (
        <Action does={show} keys="list.new">
          {waiting} new
        </Action>
      )}
      {untold > 0 && <Action does={reload}>More have changed: reload</Action>}
    </p>
  )
}

interface FootProps {
  readonly page: TicketPage
  readonly count: number
  readonly isLoadingMore: boolean
  readonly loadMore: () => void
}

function Foot({ page, count, isLoadingMore, loadMore }: FootProps) {
  return (
    <p class={styles.foot}>
      <span>
        {plural(count, 'ticket')}, looked through <LookedThrough page={page} />
        {isLoadingMore && ', going on'}
      </span>
      {page.cursor !== undefined && (
        <Action does={loadMore} keys="list.more" unable={isLoadingMore ? 'It is loading' : undefined}>
          Load more
        </Action>
      )}
    </p>
  )
}

/** How far the list looked: what is older was not asked for yet. */
function LookedThrough({ page }: { readonly page: TicketPage }) {
  const last = page.rows.at(-1)
  if (page.cursor === undefined || last === undefined) return <>to the end</>
  return (
    <>
      to <When at={last.created_at} />
    </>
  )
}

interface FilterProps {
  readonly filters: Filters
  readonly show: (filters: Filters) => void
}

const QUICK = ['failed', 'queued', 'in_progress', 'completed', 'cancelled'] as const

/** The states to choose from, and every other filter with a way to remove it. */
function FilterChips({ filters, show }: FilterProps) {
  const { status, ...others } = filters
  return (
    <div class={styles.chips}>
      {QUICK.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={status === one}
          onClick={() => show(status === one ? others : { ...others, status: one })}
        >
          {status === one && '✓ '}
          {one === 'in_progress' ? 'running' : one}
        </button>
      ))}
      {Object.entries(filters)
        .filter(([name, value]) => name !== 'status' || !QUICK.some((one) => one === value))
        .map(([name, value]) => (
          <button
            key={name}
            type="button"
            onClick={() => show(Object.fromEntries(Object.entries(filters).filter(([one]) => one !== name)))}
          >
            <CallerText text={`${name}: ${value}`} /> <span aria-hidden="true">✕</span>
            <span class={styles.hidden}>, remove this filter</span>
          </button>
        ))}
    </div>
  )
}
