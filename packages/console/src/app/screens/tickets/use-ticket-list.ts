import { useCallback, useRef, useState } from 'preact/hooks'
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

/** The list for some filters, page after page. */
export function useTicketList({ filters, entry, left, hearSince }: ListOptions) {
  const name = `${entry} ${queryOf(filters)}`
  const caughtUp = useRef('')
  const list = useResource(
    name,
    async (signal) => {
      if (left === undefined || caughtUp.current === name)
        return listTickets(filters, { limit: PAGE, signal })
      const answer = await readAgain(filters, left.page, signal)
      if (!answer.ok) return answer
      caughtUp.current = name
      hearSince(answer.value)
      return { ...answer, value: left.page }
    },
    left?.page,
  )
  const [more, setMore] = useState<{
    readonly name: string
    readonly problem?: Problem
    readonly isLoading: boolean
  }>()
  const asked = useRef<AbortController>(undefined)
  const cursor = list.value?.cursor
  const isMoreOfThis = more?.name === name
  const loadMore = useCallback(async () => {
    if (cursor === undefined || list.value === undefined) return
    asked.current?.abort()
    const leaving = new AbortController()
    asked.current = leaving
    setMore({ name, isLoading: true })
    const answer = await listTickets(filters, { limit: PAGE, cursor, signal: leaving.signal }).catch(
      () => undefined,
    )
    if (answer === undefined || leaving.signal.aborted) return
    if (!answer.ok) return setMore({ name, problem: answer.problem, isLoading: false })
    setMore({ name, isLoading: false })
    list.replace(joined(list.value, answer.value))
  }, [name, cursor, list.value])
  const catchUp = () => {
    caughtUp.current = ''
    list.reload()
  }
  return {
    list,
    catchUp: left && catchUp,
    loadMore,
    isLoadingMore: isMoreOfThis && more.isLoading,
    moreProblem: isMoreOfThis ? more.problem : undefined,
  }
}

/** The rows down to the last one of a page that are not as they are in it, or not in it. */
async function readAgain(
  filters: Filters,
  { rows: before }: TicketPage,
  signal: AbortSignal,
): Promise<Answer<readonly TicketRow[]>> {
  const known = new Map(before.map((row) => [row.id, JSON.stringify(row)]))
  const read: TicketRow[] = []
  let cursor: string | undefined
  do {
    const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, before.length - read.length))
    const answer = await listTickets(filters, { limit, signal, ...(cursor !== undefined && { cursor }) })
    if (!answer.ok) return answer
    read.push(...answer.value.rows)
    cursor = answer.value.cursor
  } while (cursor !== undefined && read.length < before.length)
  return { ok: true, status: 200, value: read.filter((row) => known.get(row.id) !== JSON.stringify(row)) }
}

/** A ticket that moved between two pages is there once. */
function joined({ rows: before }: TicketPage, { rows, cursor }: TicketPage): TicketPage {
  const there = new Set(before.map(({ id }) => id))
  const fresh: TicketRow[] = rows.filter(({ id }) => !there.has(id))
  return { rows: [...before, ...fresh], ...(cursor === undefined ? {} : { cursor }) }
}
