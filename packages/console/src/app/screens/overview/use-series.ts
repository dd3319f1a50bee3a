import { useEffect, useRef } from 'preact/hooks'
import { getSeries, type SeriesBody } from '../../api/desk.ts'
import type { FeedNews } from '../../live/feed.ts'
import { feedState, hearFeed } from '../../live/live.ts'
import { type Resource, useResource } from '../../parts/use-resource.ts'

/** As long as the finest step. */
const REFRESH_MS = 10_000
/** A longer range changes less, and costs more to read. */
const LONG_REFRESH_MS = 60_000

/**
 * What the server counted, in steps of so many seconds (undefined: of the last hour). It is read again when the feed has told that
 * something was counted, and not before: a page that is idle or paused asks for nothing.
 */
export function useSeries(stepS: number | undefined): Resource<SeriesBody> {
  const series = useResource(`series ${stepS}`, (signal) => getSeries(stepS, signal))
  const { reload } = series
  const hasProblem = useRef(false)
  hasProblem.current = series.problem !== undefined
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const isCounted = createIsCounted()
    const stop = hearFeed((news) => {
      if (news.kind === 'hello' && hasProblem.current) reload()
      if (!isCounted(news)) return
      timer ??= setTimeout(
        () => {
          timer = undefined
          if (feedState.value.kind !== 'paused') reload()
        },
        stepS === undefined ? REFRESH_MS : LONG_REFRESH_MS,
      )
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [reload, stepS])
  return series
}

/** Whether the feed tells that an event came, ran or ended. A server without a store tells of no tickets, but of its slots. */
function createIsCounted(): (news: FeedNews) => boolean {
  let before: string | undefined
  return (news) => {
    if (news.kind !== 'desk') return news.kind === 'ticket' || news.kind === 'more' || news.kind === 'gap'
    const { backends, line } = news.data
    const now = [line.waiting, ...backends.map(({ in_flight }) => in_flight)].join()
    const isNews = before !== undefined && before !== now
    before = now
    return isNews
  }
}
