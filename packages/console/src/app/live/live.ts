import type { DeskBody, LineBody } from '@ai-ticket/control'
import { effect, signal } from '@preact/signals'
import { apiRoot } from '../api/addresses.ts'
import { openStream, type Problem } from '../api/client.ts'
import { keyChanges, keyHeader, refuseKey } from '../api/key.ts'
import type { Resource } from '../parts/use-resource.ts'
import { type FeedNews, followFeed } from './feed.ts'
import { joinRoom, type Room } from './leader.ts'
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

/** Of the server, where it is another one than when this page was loaded. */
export const newVersion = signal<string | undefined>(undefined)
let firstVersion: string | undefined

/** Without locks: for so long a tab that nobody looks at stays live. */
const HIDDEN_MS = 30_000

const FRAME_MS = 16

const listeners = new Set<(news: FeedNews) => void>()
let query = ''
let room: Room | undefined
let place: string | undefined
let heardAt = new Date()

/** Hears everything that the feed tells, until what it gives back is called. */
export function hearFeed(listener: (news: FeedNews) => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** As `hearFeed`, all of a frame at once: a page cannot draw each of hundreds of changes. */
export function hearFeedByFrame(listener: (news: readonly FeedNews[]) => void): () => void {
  let heard: FeedNews[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const tell = () => {
    const news = heard
    heard = []
    timer = undefined
    listener(news)
  }
  const stop = hearFeed((news) => {
    heard.push(news)
    // Not `requestAnimationFrame`, which a tab that nobody looks at does not get.
    timer ??= setTimeout(tell, FRAME_MS)
  })
  return () => {
    stop()
    clearTimeout(timer)
  }
}

/** Which tickets are told: filters of `GET /tickets`, as `?a=b`. What changed meanwhile is told by the new ones. */
export function filterFeed(filters: string): void {
  if (filters === query) return
  query = filters
  room?.want(query, !document.hidden)
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
    if (keyChanges.value >= 0 && feedState.peek().kind !== 'paused') open()
  })
  const goOn = () => {
    if (room === undefined && feedState.value.kind !== 'paused') open()
  }
  let hiding: ReturnType<typeof setTimeout> | undefined
  const attend = () => {
    clearTimeout(hiding)
    room?.want(query, !document.hidden)
    if (!document.hidden) goOn()
    else if (locks === undefined) hiding = setTimeout(close, HIDDEN_MS)
  }
  document.addEventListener('visibilitychange', attend)
  attend()
  window.addEventListener('pagehide', close)
  window.addEventListener('pageshow', goOn)
}

/** What the feed tells, with the states of a panel. */
export function liveResource<Value>(value: Value | undefined): Resource<Value> {
  const state = feedState.value
  return {
    ...(value !== undefined && { value }),
    ...('problem' in state && { problem: state.problem }),
    ...('asOf' in state && { asOf: state.asOf }),
    isLoading: state.kind === 'opening',
    reload: () => (room === undefined ? open() : room.again()),
  }
}

function open(): void {
  close()
  feedState.value = { kind: 'opening' }
  const name = roomName()
  room = joinRoom({
    tab: crypto.getRandomValues(new Uint32Array(2)).join('-'),
    query,
    isSeen: !document.hidden,
    place,
    hear,
    follow: (feed) => followFeed({ ...feed, open: openStream, pause }),
    channel: typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(name),
    lock: locks && { request: (options, hold) => locks.request(name, options, hold) },
    random: Math.random,
  })
}

function close(): void {
  place = room?.leave() ?? place
  room = undefined
}

/** Only a page that came over HTTPS, or from this machine, has locks. */
const locks: LockManager | undefined = navigator.locks

/** The tabs that share a feed ask the same server, with the same key. The name does not show the key. */
function roomName(): string {
  let hash = 0
  for (const character of keyHeader().authorization ?? '')
    hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0
  return `ai-ticket-console-feed-1 ${apiRoot} ${hash}`
}

function hear(news: FeedNews): void {
  if (news.kind === 'lost') feedState.value = { ...news, asOf: heardAt }
  else if (news.kind === 'refused') hearRefusal(news)
  else {
    heardAt = new Date()
    // Desk and line may come from the feed of other filters.
    const isOfOthers = news.kind === 'desk' || news.kind === 'line'
    if (!isOfOthers && feedState.value.kind !== 'live') feedState.value = { kind: 'live' }
  }
  if (news.kind === 'hello') {
    firstVersion ??= news.data.version
    newVersion.value = news.data.version === firstVersion ? undefined : news.data.version
  }
  if (news.kind === 'desk') liveDesk.value = news.data
  if (news.kind === 'line') liveLine.value = news.data
  for (const listener of listeners) listener(news)
}

function hearRefusal(news: FeedNews & { readonly kind: 'refused' }): void {
  feedState.value = { ...news, asOf: heardAt }
  // Another tab may have been told so, with the key of both.
  if (news.problem.status === 401) void refuseKey(keyHeader().authorization)
}
