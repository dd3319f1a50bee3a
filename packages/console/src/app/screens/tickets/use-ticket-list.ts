import { useEffect, useRef, useState } from 'preact/hooks'
import type { Answer, Problem } from '../../api/client.ts'
import { listTickets, type TicketPage, type TicketRow } from '../../api/tickets.ts'
import type { LeftList } from '../../parts/ticket-views.ts'
import { useResource } from '../../parts/use-resource.ts'
import { type Filters, queryOf } from './filters.ts'

/** Rows in a page: more than a screen shows, and quick at a million tickets. */
const PAGE = 50

/** The most that the server gives at a time. */
const LARGEST_PAGE = 200

interface ListOptions {
  readonly filters: Filters
  /** Of the entry of the history: another one is another list, with the same filters, too. */
  readonly entry: string
  /** As somebody left it: it is shown as it was, and what has changed since is told to `hearSince`. */
  readonly left: LeftList | undefined
  readonly hearSince: (rows: readonly TicketRow[]) => void
}

/** The list for some filters, page after page. It has no fewer rows when it is read again. */
export function useTicketList({ filters, entry, left, hearSince }: ListOptions) {
  const name = `${entry} ${queryOf(filters)}`
  const caughtUp = useRef('')
  const shown = useRef(0)
  const list = useResource(
    name,
    async (signal) => {
      if (left === undefined || caughtUp.current === name) return readRows(filters, shown.current, signal)
      const answer = await readRows(filters, left.page.rows.length, signal)
      if (!answer.ok) return answer
      caughtUp.current = name
      hearSince(changedSince(left.page, answer.value))
      return { ...answer, value: left.page }
    },
    left?.page,
  )
  shown.current = list.value?.rows.length ?? 0
  const catchUp = () => {
    caughtUp.current = ''
    list.reload()
  }
  return { list, catchUp: left && catchUp, ...useMore(name, filters, list) }
}

/**
 * Goes on reading until there are as many rows as are wanted. The server looks through a limited number of tickets for a
 * page, so that a rare one may need many. What is asked for while the list is read for the first time, or again, is read
 * after it.
 */
function useMore(name: string, filters: Filters, list: ReturnType<typeof useResource<TicketPage>>) {
  const [asked, ask] = useState<{
    readonly name: string
    readonly rows: number
    readonly problem?: Problem
  }>()
  const { rows: wanted, problem } = asked?.name === name ? asked : { rows: PAGE }
  const { value, isLoading, replace } = list
  const count = value?.rows.length ?? 0
  const isShort = value?.cursor !== undefined && count < wanted && problem === undefined
  const goesOn = isShort && !isLoading
  useEffect(() => {
    if (!goesOn || value?.cursor === undefined) return
    const leaving = new AbortController()
    const { signal } = leaving
    listTickets(filters, {
      limit: Math.min(LARGEST_PAGE, wanted - count),
      cursor: value.cursor,
      signal,
    }).then(
      (answer) => {
        if (signal.aborted) return
        if (answer.ok) replace(joined(value, answer.value))
        else ask({ name, rows: count, problem: answer.problem })
      },
      (error: unknown) => {
        if (!signal.aborted) throw error
      },
    )
    return () => leaving.abort()
  }, [name, value, goesOn])
  return {
    loadMore: () =>
      ask((before) => {
        const known = before?.name === name ? before.rows : PAGE
        return { name, rows: Math.max(known, count) + PAGE }
      }),
    isLoadingMore: isShort,
    moreProblem: problem,
  }
}

/** The newest rows, at least so many if there are; of a search, what the first page of it has. */
async function readRows(filters: Filters, atLeast: number, signal: AbortSignal): Promise<Answer<TicketPage>> {
  let page: TicketPage = { rows: [] }
  do {
    const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, atLeast - page.rows.length))
    const { cursor } = page
    const answer = await listTickets(filters, { limit, signal, ...(cursor !== undefined && { cursor }) })
    if (!answer.ok) return answer
    page = joined(page, answer.value)
  } while (page.cursor !== undefined && page.rows.length < atLeast)
  return { ok: true, status: 200, value: page }
}

/** The rows that are not in the first page as they are in the second. */
function changedSince(before: TicketPage, now: TicketPage): readonly TicketRow[] {
  const known = new Map(before.rows.map((row) => [row.id, JSON.stringify(row)]))
  return now.rows.filter((row) => known.get(row.id) !== JSON.stringify(row))
}

/** A ticket that moved between two pages is there once. */
function joined({ rows: before }: TicketPage, { rows, cursor }: TicketPage): TicketPage {
  const there = new Set(before.map(({ id }) => id))
  const fresh: TicketRow[] = rows.filter(({ id }) => !there.has(id))
  return { rows: [...before, ...fresh], ...(cursor === undefined ? {} : { cursor }) }
}
