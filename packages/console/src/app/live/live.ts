import type { DeskBody, LineBody } from '@ai-ticket/control'
import { effect, signal } from '@preact/signals'
import { openStream, type Problem } from '../api/client.ts'
import { keyChanges } from '../api/key.ts'
import type { Resource } from '../parts/use-resource.ts'
import { type FeedNews, followFeed } from './feed.ts'
import { pause } from './read-events.ts'

/** How the feed of this tab is. */
export type FeedState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'live' }
  /** Until the reader goes on: nothing moves, nothing is fetched. */
  | { readonly kind: 'paused'; readonly asOf: Date }
  | { readonly kind: 'lost'; readonly asOf: Date; readonly problem: Problem; readonly nextTryMs: number }
  | { readonly kind: 'refused'; readonly asOf: Date; readonly problem: Problem }

export const feedState = signal<FeedState>({ kind: 'opening' })
/** As the feed told last. */
export const liveDesk = signal<DeskBody | undefined>(undefined)
export const liveLine = signal<LineBody | undefined>(undefined)

/** A browser has six connections to a host: a tab that nobody looks at lets go of its own. */
const HIDDEN_MS = 5_000

const listeners = new Set<(news: FeedNews) => void>()
let query = ''
let leaving: AbortController | undefined
let place: Promise<string | undefined> = Promise.resolve(undefined)
let heardAt = new Date()

/** Hears everything that the feed tells, until what it gives back is called. */
export function hearFeed(listener: (news: FeedNews) => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Which tickets are told: filters of `GET /tickets`, as `?a=b`. What changed meanwhile is told by the new ones. */
export function filterFeed(filters: string): void {
  if (filters === query) return
  query = filters
  if (leaving !== undefined) open()
}

export function togglePause(): void {
  if (feedState.value.kind === 'paused') open()
  else {
    close()
    feedState.value = { kind: 'paused', asOf: new Date() }
  }
}

/** To be called once: from then on the page is live. */
export function startFeed(): void {
  // A new key may do what the old one might not.
  effect(() => {
    if (keyChanges.value >= 0 && feedState.peek().kind !== 'paused' && !document.hidden) open()
  })
  let hiding: ReturnType<typeof setTimeout> | undefined
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS)
    else if (leaving === undefined && feedState.value.kind !== 'paused') open()
  })
}

/** What the feed tells, with the states of a panel. */
export function liveResource<Value>(value: Value | undefined): Resource<Value> {
  const state = feedState.value
  return {
    ...(value !== undefined && { value }),
    ...('problem' in state && { problem: state.problem }),
    ...('asOf' in state && { asOf: state.asOf }),
    isLoading: state.kind === 'opening',
    reload: open,
  }
}

function open(): void {
  close()
  const own = new AbortController()
  leaving = own
  feedState.value = { kind: 'opening' }
  place = place.then((lastEventId) =>
    followFeed({ signal: own.signal, query, lastEventId, hear, open: openStream, pause }),
  )
}

function close(): void {
  leaving?.abort()
  leaving = undefined
}

function hear(news: FeedNews): void {
  if (news.kind === 'lost') feedState.value = { ...news, asOf: heardAt }
  else if (news.kind === 'refused') feedState.value = { ...news, asOf: heardAt }
  else {
    heardAt = new Date()
    if (feedState.value.kind !== 'live') feedState.value = { kind: 'live' }
  }
  if (news.kind === 'desk') liveDesk.value = news.data
  if (news.kind === 'line') liveLine.value = news.data
  for (const listener of listeners) listener(news)
}
