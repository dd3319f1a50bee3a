import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { keyChanges } from '../../api/key.ts'
import type { TicketPage, TicketRow } from '../../api/tickets.ts'
import { filterFeed, hearFeedByFrame } from '../../live/live.ts'
import type { Resource } from '../../parts/use-resource.ts'
import { type Filters, queryOf } from './filters.ts'
import { type HeardRows, hearMore, hearRow, NOTHING_HEARD, showHeld, withHeard } from './live-rows.ts'

interface Options {
  readonly filters: Filters
  readonly list: Resource<TicketPage>
  /** Whether the head of the list is in sight: then new rows come at once. */
  readonly isAtTop: () => boolean
  /** Of a list that is shown as it was left: asks what has changed since. */
  readonly catchUp: (() => void) | undefined
}

/** Keeps the list as it is now: by the feed, with the list's own filters. */
export function useLiveRows({ filters, list, isAtTop, catchUp }: Options) {
  const [heard, setHeard] = useState<HeardRows>(NOTHING_HEARD)
  const name = queryOf(filters)
  const reload = () => {
    setHeard(NOTHING_HEARD)
    list.reload()
  }
  const hear = (changed: readonly TicketRow[], isTop: boolean) =>
    setHeard((before) => changed.reduce((heard, row) => hearRow(heard, row, !isTop), before))
  const latest = useRef({ reload, isAtTop })
  latest.current = { reload, isAtTop }
  // Until the feed has begun to tell of this list.
  const first = useRef(catchUp)
  useEffect(() => {
    first.current = catchUp
  }, [catchUp === undefined, name])
  const changes = keyChanges.value
  useEffect(() => setHeard(NOTHING_HEARD), [name, changes])
  // Of other filters nothing is heard any more, not even what waits for its frame.
  useEffect(
    () =>
      hearFeedByFrame((all) => {
        const isTop = latest.current.isAtTop()
        for (const news of all) {
          if (news.kind === 'ticket') hear([news.data], isTop)
          else if (news.kind === 'more') setHeard((before) => hearMore(before, news.data.count))
          // The list may be older than the first word of the feed.
          else if (news.kind === 'hello' && first.current !== undefined) {
            if (!news.data.resumed) first.current()
            first.current = undefined
          } else if (news.kind === 'gap' || (news.kind === 'hello' && !news.data.resumed)) {
            if (isTop) latest.current.reload()
            else setHeard((before) => hearMore(before, 1))
          }
        }
      }),
    [name],
  )
  useEffect(() => {
    filterFeed(name)
    return () => filterFeed('')
  }, [name])
  const { rows, waiting } = useMemo(
    () => (list.value === undefined ? NO_LIST : withHeard(list.value, heard)),
    [list.value, heard],
  )
  return { rows, waiting, untold: heard.untold, show: () => setHeard(showHeld), reload, hear }
}

const NO_LIST = { rows: [], waiting: 0 } as const
