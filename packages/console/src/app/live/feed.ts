import type { FeedEvents } from '@ai-ticket/control'
import type { Answer, openStream, Problem } from '../api/client.ts'
import { type Heard, readEvents } from './read-events.ts'

/** What is heard of the feed: its events by name, and how the connection is. */
export type FeedNews =
  | { [Name in keyof FeedEvents]: { readonly kind: Name; readonly data: FeedEvents[Name] } }[keyof FeedEvents]
  /** The server is there and has nothing to tell. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'lost'; readonly problem: Problem; readonly nextTryMs: number }
  /** To ask again would change nothing: no more tries. */
  | { readonly kind: 'refused'; readonly problem: Problem }

export interface FeedOptions {
  readonly signal: AbortSignal
  /** Filters of `GET /tickets` for the tickets that are told, as `?a=b`; empty: all. */
  readonly query: string
  /** Of the last event that was heard before; undefined: none was. */
  readonly lastEventId: string | undefined
  /** `place`: of the last event, to go on from. */
  readonly hear: (news: FeedNews, place: string | undefined) => void
  readonly open: typeof openStream
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 5_000
/** The server says every 15 s that it is there: nothing for so long is a connection that died without a word. */
const SILENCE_MS = 40_000
const NAMES: readonly string[] = [
  'hello',
  'desk',
  'line',
  'ticket',
  'config',
  'more',
  'gap',
] satisfies (keyof FeedEvents)[]

/**
 * Reads the feed until the signal is aborted or the server refuses, and gives back the id to go on from. A feed that breaks
 * is opened again where it was, at most once a second. It is `fetch`, not `EventSource`, which cannot show a key.
 */
export async function followFeed(options: FeedOptions): Promise<string | undefined> {
  const { signal, hear } = options
  let { lastEventId } = options
  let pauseMs = FIRST_PAUSE_MS
  while (!signal.aborted) {
    const stillThere = () => hear({ kind: 'alive' }, lastEventId)
    const problem = await readOnce({ ...options, lastEventId, stillThere }, ({ event, id, data }) => {
      lastEventId = id ?? lastEventId
      pauseMs = FIRST_PAUSE_MS
      const kind = NAMES.find((name) => name === event)
      if (kind !== undefined && !signal.aborted)
        hear({ kind, data: JSON.parse(data) } as FeedNews, lastEventId)
    })
    if (signal.aborted) break
    if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
      hear({ kind: 'refused', problem }, lastEventId)
      break
    }
    const nextTryMs = Math.max(pauseMs, problem.retryAfterMs ?? 0)
    hear({ kind: 'lost', problem, nextTryMs }, lastEventId)
    await options.pause(nextTryMs, signal)
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  }
  return lastEventId
}

/** One connection, to its end. */
async function readOnce(
  {
    signal,
    query,
    lastEventId,
    open,
    stillThere,
  }: Omit<FeedOptions, 'hear'> & { readonly stillThere: () => void },
  take: (event: Heard) => void,
): Promise<Problem> {
  const silent = new AbortController()
  let timer = setTimeout(() => silent.abort(), SILENCE_MS)
  const hasSpoken = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silent.abort(), SILENCE_MS)
  }
  try {
    const opened: Answer<ReadableStream<Uint8Array>> = await open(`feed${query}`, {
      signal: AbortSignal.any([signal, silent.signal]),
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    })
    if (!opened.ok) return opened.problem
    await readEvents(
      opened.value,
      (event) => {
        hasSpoken()
        take(event)
        return false
      },
      () => {
        hasSpoken()
        stillThere()
      },
    )
    return CUT
  } catch {
    return CUT
  } finally {
    clearTimeout(timer)
  }
}

const CUT: Problem = {
  status: 0,
  code: 'feed_cut',
  details: 'The feed of changes was cut off. The page goes on trying.',
}
