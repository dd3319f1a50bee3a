import { useCallback, useRef, useState } from 'preact/hooks'
import type { Problem } from '../../api/client.ts'
import { listTickets, type TicketPage, type TicketRow } from '../../api/tickets.ts'
import { useResource } from '../../parts/use-resource.ts'
import { type Filters, queryOf } from './filters.ts'

/** Rows in a page: more than a screen shows, and quick at a million tickets. */
const PAGE = 50

/** The list for some filters, page after page. */
export function useTicketList(filters: Filters) {
  const name = queryOf(filters)
  const list = useResource(name, (signal) => listTickets(filters, { limit: PAGE, signal }))
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
  return {
    list,
    loadMore,
    isLoadingMore: isMoreOfThis && more.isLoading,
    moreProblem: isMoreOfThis ? more.problem : undefined,
  }
}

/** A ticket that moved between two pages is there once. */
function joined({ rows: before }: TicketPage, { rows, cursor }: TicketPage): TicketPage {
  const there = new Set(before.map(({ id }) => id))
  const fresh: TicketRow[] = rows.filter(({ id }) => !there.has(id))
  return { rows: [...before, ...fresh], ...(cursor === undefined ? {} : { cursor }) }
}
