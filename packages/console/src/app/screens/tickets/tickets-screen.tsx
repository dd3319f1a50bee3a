import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso/router'
import { ticketPath } from '../../api/addresses.ts'
import type { TicketPage, TicketRow } from '../../api/tickets.ts'
import { titlePage } from '../../frame/about.ts'
import { useShortcuts } from '../../keyboard/use-shortcuts.ts'
import { feedState } from '../../live/live.ts'
import { screenPath } from '../../navigation.ts'
import { Action, Keys } from '../../parts/action.tsx'
import { plural } from '../../parts/format.ts'
import { Panel, ProblemNote } from '../../parts/panel.tsx'
import { When } from '../../parts/when.tsx'
import { type Filters, filtersOf, queryOf, readSearch, writeSearch } from './filters.ts'
import { NeverUsed, NoResult } from './no-tickets.tsx'
import { SelectionBar } from './selection-bar.tsx'
import { TicketTable } from './ticket-table.tsx'
import styles from './tickets.module.css'
import { useLiveRows } from './use-live-rows.ts'
import { useRows } from './use-rows.ts'
import { useTicketList } from './use-ticket-list.ts'

/** All tickets and recorded events, newest first, by the filters in the address. */
export function TicketsScreen() {
  const { query, route } = useLocation()
  const filters = filtersOf(query)
  const show = (next: Filters) => route(`${screenPath('tickets')}${queryOf(next)}`)
  const { list, loadMore, isLoadingMore, moreProblem } = useTicketList(filters)
  const head = useRef<HTMLDivElement>(null)
  const isAtTop = () => (head.current?.getBoundingClientRect().bottom ?? 0) >= 0
  const live = useLiveRows({ filters, list, isAtTop })
  const { rows, reload } = live
  const open = ({ id }: TicketRow) => route(ticketPath(id))
  const table = useRows(rows, { open, loadMore })
  const showNew = () => {
    live.show()
    head.current?.scrollIntoView()
  }
  useShortcuts({ reload, 'list.new': showNew })
  useEffect(() => titlePage('Tickets'), [])
  return (
    <>
      <div class={styles.head} ref={head}>
        <h1>Tickets</h1>
        <SearchField filters={filters} show={show} />
        <Action does={reload} keys="reload">
          Reload
        </Action>
      </div>
      <FilterChips filters={filters} show={show} />
      <SelectionBar rows={table.selected} clear={table.clear} reload={reload} />
      <News live={live} show={showNew} />
      <Panel resource={list} rows={12} isAged={'problem' in feedState.value}>
        {(page) =>
          rows.length === 0 ? (
            Object.keys(filters).length === 0 ? (
              <NeverUsed />
            ) : (
              <NoResult filters={filters} show={show} />
            )
          ) : (
            <>
              <TicketTable rows={rows} table={table} isWhole={page.cursor === undefined} open={open} />
              <Foot page={page} count={rows.length} isLoadingMore={isLoadingMore} loadMore={loadMore} />
              {moreProblem && <ProblemNote problem={moreProblem} retry={loadMore} />}
            </>
          )
        }
      </Panel>
    </>
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

function SearchField({ filters, show }: FilterProps) {
  const written = writeSearch(filters)
  const [problem, setProblem] = useState('')
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (field.current) field.current.value = written
    setProblem('')
  }, [written])
  useShortcuts({ search: () => field.current?.select() })
  return (
    <search class={styles.searching}>
      <form
        class={styles.search}
        onSubmit={(event) => {
          event.preventDefault()
          const read = readSearch(field.current?.value ?? '')
          setProblem(read.ok ? '' : read.problem)
          if (read.ok) show(read.filters)
        }}
      >
        <input
          ref={field}
          type="search"
          aria-label="Search"
          aria-keyshortcuts="/"
          aria-invalid={problem !== ''}
          aria-describedby="search-problem"
          placeholder={'status:failed metadata.order:4711 "free text"'}
          spellcheck={false}
          autocomplete="off"
          onKeyDown={(event) => {
            if (event.key === 'Escape') event.currentTarget.blur()
          }}
        />
        <button type="submit">
          Search <Keys of="search" />
        </button>
        <span id="search-problem" class={styles.error} role="alert">
          {problem}
        </span>
      </form>
    </search>
  )
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
            {name}: {value} <span aria-hidden="true">✕</span>
            <span class={styles.hidden}>, remove this filter</span>
          </button>
        ))}
    </div>
  )
}
