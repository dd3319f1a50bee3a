import type { FeedNews } from './feed.ts'

/** What a tab wants of the feed. */
export interface Want {
  readonly tab: string
  /** Filters of `GET /tickets` for the tickets that it is told, as `?a=b`; empty: all. */
  readonly query: string
  /** Whether somebody looks at it. */
  readonly isSeen: boolean
  /** Of the last event that it has heard; undefined: none. */
  readonly place: string | undefined
  /** It has missed nothing since then. */
  readonly isInStep: boolean
}

/** What is told to tabs. */
export interface Told {
  /** For the tabs with these filters. */
  readonly query: string
  /** For all others, too. */
  readonly isForAll: boolean
  /** For this one alone. */
  readonly to?: string
  /** Undefined: only that the tab hears everything from here on. */
  readonly news: FeedNews | undefined
  readonly place: string | undefined
}

export interface SharedFeedsOptions {
  /** Reads one feed until the signal is aborted. */
  readonly follow: (options: {
    readonly query: string
    readonly lastEventId: string | undefined
    readonly signal: AbortSignal
    readonly hear: (news: FeedNews, place: string | undefined) => void
  }) => Promise<unknown>
  readonly tell: (told: Told) => void
}

/** One connection. */
interface Feed {
  /** It tells the desk and the line, too. */
  isWhole: boolean
  readonly stop: AbortController
  readonly openedAt: string | undefined
  place: string | undefined
  /** What one who comes later has to be told. */
  readonly last: Partial<Record<FeedNews['kind'], FeedNews>>
}

/** A browser has six connections to a host, and the pages need some for their questions. */
const MOST_FEEDS = 4

/**
 * The feeds that one tab reads for all: one for each set of filters, the first with desk and line. Where the tabs have more
 * filters than there are connections, the ones that nobody looks at hear of every ticket that it may be one of theirs.
 */
export class SharedFeeds {
  readonly #options: SharedFeedsOptions
  readonly #tabs = new Map<string, Want>()
  readonly #feeds = new Map<string, Feed>()

  constructor(options: SharedFeedsOptions) {
    this.#options = options
  }

  #open(query: string, place: string | undefined): void {
    const isWhole = ![...this.#feeds.values()].some((one) => one.isWhole)
    const feed: Feed = { isWhole, stop: new AbortController(), openedAt: place, place, last: {} }
    this.#feeds.set(query, feed)
    void this.#options.follow({
      query: isWhole ? query : `${query === '' ? '?' : `${query}&`}only=ticket`,
      lastEventId: place,
      signal: feed.stop.signal,
      hear: (news, heardAt) => this.#feeds.get(query) === feed && this.#pass(query, feed, news, heardAt),
    })
  }

  #close(query: string): string | undefined {
    const feed = this.#feeds.get(query)
    feed?.stop.abort()
    this.#feeds.delete(query)
    return feed?.place
  }

  /** Opens what is missing and closes what nobody wants any longer. */
  #arrange(): void {
    const wants = [...this.#tabs.values()]
    const queries = carriedOf(wants)
    for (const query of this.#feeds.keys()) if (!queries.includes(query)) this.#close(query)
    this.#keepOneWhole()
    for (const query of queries)
      if (!this.#feeds.has(query)) this.#open(query, wants.find((one) => one.query === query)?.place)
  }

  #keepOneWhole(): void {
    if ([...this.#feeds.values()].some(({ isWhole }) => isWhole)) return
    const [query] = [...this.#feeds].find(([, { last }]) => last.refused === undefined) ?? []
    if (query !== undefined) this.#open(query, this.#close(query))
  }

  #pass(query: string, feed: Feed, news: FeedNews, place: string | undefined): void {
    feed.place = place
    if (news.kind !== 'lost' && news.kind !== 'refused') delete feed.last.lost
    if (REMEMBERED.has(news.kind)) feed.last[news.kind] = news
    this.#options.tell({ query, isForAll: news.kind === 'desk' || news.kind === 'line', news, place })
    if (query === '')
      for (const other of this.#uncarried()) this.#options.tell({ ...asHint(news), query: other, place })
    if (news.kind !== 'refused' || !feed.isWhole) return
    // Another one's filters may be better.
    feed.isWhole = false
    this.#keepOneWhole()
  }

  #uncarried(): readonly string[] {
    return [...new Set([...this.#tabs.values()].map(({ query }) => query))].filter(
      (query) => !this.#feeds.has(query),
    )
  }

  /** To one who comes. What a feed that was opened for it tells, all hear. */
  #welcome({ tab, query, place, isInStep }: Want, isNewFeed: boolean): void {
    const feed = this.#feeds.get(query) ?? this.#feeds.get('')
    if (feed === undefined) return
    const common = { query, isForAll: false, to: tab, place: feed.place }
    const isReached = (isNewFeed && feed.openedAt === undefined) || isBehind(feed.openedAt, place)
    const hasMissed = !(isReached && (isNewFeed || isInStep))
    this.#options.tell({ ...common, news: hasMissed ? { kind: 'gap', data: {} } : undefined })
    if (isNewFeed) return
    const whole = [...this.#feeds.values()].find(({ isWhole }) => isWhole)
    for (const news of [
      feed.last.hello,
      whole?.last.desk,
      whole?.last.line,
      feed.last.lost,
      feed.last.refused,
    ]) {
      if (news === undefined) continue
      // A `hello` that says something was missed has been heard as the gap.
      const said = news.kind === 'hello' ? { ...news, data: { ...news.data, resumed: true } } : news
      this.#options.tell({ ...common, news: said })
    }
  }

  /** A tab has come, wants something else, or is still there. */
  want(want: Want): void {
    const before = this.#tabs.get(want.tab)
    this.#tabs.set(want.tab, want)
    if (before?.query === want.query && before.isSeen === want.isSeen) return
    const known = this.#feeds.get(want.query)
    this.#arrange()
    if (before?.query === want.query) return
    const feed = this.#feeds.get(want.query)
    this.#welcome(want, feed !== undefined && feed !== known)
  }

  forget(tab: string): void {
    if (this.#tabs.delete(tab)) this.#arrange()
  }

  /** Somebody does not want to wait for the next try, or thinks that a refusal is past. */
  again(): void {
    for (const [query, { last }] of this.#feeds)
      if (last.lost ?? last.refused) this.#open(query, this.#close(query))
  }

  close(): void {
    for (const query of this.#feeds.keys()) this.#close(query)
    this.#tabs.clear()
  }
}

const REMEMBERED: ReadonlySet<FeedNews['kind']> = new Set(['hello', 'desk', 'line', 'lost', 'refused'])

/** Which filters get a connection: those of tabs that somebody looks at first, then the latest. */
function carriedOf(wants: readonly Want[]): readonly string[] {
  const ordered = wants.toReversed().sort((one, other) => Number(other.isSeen) - Number(one.isSeen))
  const queries = [...new Set(ordered.map(({ query }) => query))]
  if (queries.length <= MOST_FEEDS) return queries
  return [...queries.filter((query) => query !== '').slice(0, MOST_FEEDS - 1), '']
}

/** For those whose filters have no connection: a ticket of somebody is one that may pass. */
const asHint = (news: FeedNews): { readonly isForAll: false; readonly news: FeedNews } => ({
  isForAll: false,
  news: news.kind === 'ticket' ? { kind: 'more', data: { count: 1 } } : news,
})

/** Whether the first place is not after the second one: then all that lies between was told. */
function isBehind(first: string | undefined, second: string | undefined): boolean {
  const [from, to] = [readPlace(first), readPlace(second)]
  return from !== undefined && to !== undefined && from.session === to.session && from.at <= to.at
}

function readPlace(place = ''): { readonly session: string; readonly at: number } | undefined {
  const [, session, at] = /^(.+)-(\d+)$/.exec(place) ?? []
  return session === undefined ? undefined : { session, at: Number(at) }
}
