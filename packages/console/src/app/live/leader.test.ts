import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FeedNews } from './feed.ts'
import { joinRoom, type Lock, type Room, type RoomOptions } from './leader.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A ticket of these filters; every reader without filters hears of it, too. */
interface Ticket {
  readonly id: number
  readonly query: string
}

const passes = (query: string, ticket: Ticket): boolean => query === '' || query === ticket.query

const ROW = { kind: 'ticket', status: 'queued' }
const rowNews = ({ id }: Ticket): FeedNews =>
  ({ kind: 'ticket', data: { ...ROW, id: String(id) } }) as unknown as FeedNews

/** What a server tells each of its readers, at once. */
class Server {
  readonly tickets: Ticket[] = []
  readonly feeds = new Set<{
    readonly query: string
    readonly isWhole: boolean
    readonly tell: (ticket: Ticket) => void
  }>()
  opened = 0

  readonly follow =
    (page: Page): RoomOptions['follow'] =>
    async (options) =>
      page.run(() => this.#open(page, options))

  #open(page: Page, { query: path, lastEventId, signal, hear }: Parameters<RoomOptions['follow']>[0]): void {
    if (signal.aborted) return
    this.opened += 1
    const query = path.replace(/[?&]only=ticket$/, '')
    const news = (one: FeedNews, at: number) => page.run(() => !signal.aborted && hear(one, `s-${at}`))
    const feed = {
      query,
      isWhole: query === path,
      tell: (ticket: Ticket) => passes(query, ticket) && news(rowNews(ticket), ticket.id),
    }
    const from = lastEventId === undefined ? undefined : Number(lastEventId.slice(2))
    const data = { now: '', worker: 'w', version: '1', resumed: from !== undefined }
    news({ kind: 'hello', data }, from ?? this.tickets.length)
    if (from !== undefined) for (const ticket of this.tickets.slice(from)) feed.tell(ticket)
    this.feeds.add(feed)
    signal.addEventListener('abort', () => this.feeds.delete(feed), { once: true })
  }

  add(query: string): void {
    const ticket = { id: this.tickets.length + 1, query }
    this.tickets.push(ticket)
    for (const feed of this.feeds) feed.tell(ticket)
  }
}

/** What runs in it waits while it is frozen, and never runs once it has crashed. */
class Page {
  state: 'runs' | 'frozen' | 'crashed' = 'runs'
  readonly #waiting: (() => void)[] = []

  run(task: () => unknown): void {
    if (this.state === 'runs') task()
    else this.#waiting.push(() => task())
  }

  thaw(): void {
    if (this.state !== 'frozen') return
    this.state = 'runs'
    for (const task of this.#waiting.splice(0)) task()
  }
}

interface Holder {
  readonly page: Page
  readonly lose: (() => void) | undefined
}

/** One lock, with what a browser does when its holder goes. */
class Locks {
  #holder: Holder | undefined
  readonly #queue: { readonly page: Page; readonly start: () => void; isGone: boolean }[] = []

  readonly of = (page: Page): Lock => ({
    request: (options, hold) =>
      new Promise((resolve, reject) => {
        const start = () => {
          const own = { page, lose: () => page.run(() => reject(new Error('stolen'))) }
          this.#holder = own
          page.run(() =>
            hold().then(() => {
              if (this.#holder === own) this.release(page)
              resolve(undefined)
            }),
          )
        }
        if ('steal' in options) {
          this.#holder?.lose?.()
          return start()
        }
        const waiting = { page, start, isGone: false }
        options.signal.addEventListener('abort', () => {
          if (this.#holder?.page !== page || this.#queue.includes(waiting)) reject(new Error('aborted'))
          waiting.isGone = true
        })
        this.#queue.push(waiting)
        queueMicrotask(() => this.#next())
      }),
  })

  release(page: Page): void {
    if (this.#holder?.page === page) this.#holder = undefined
    this.#next()
  }

  #next(): void {
    if (this.#holder !== undefined) return
    let next = this.#queue.shift()
    while (next && (next.isGone || next.page.state === 'crashed')) next = this.#queue.shift()
    next?.start()
  }
}

/** A tab, and what it knows: it reads all when it is told that it missed something. */
interface Tab {
  readonly page: Page
  /** Undefined: it is paused. */
  room: Room | undefined
  place: string | undefined
  query: string
  known: Set<number>
  heard: FeedNews[]
}

class Browser {
  readonly server = new Server()
  readonly tabs: Tab[] = []
  readonly #locks: Locks | undefined
  readonly #channels = new Set<{ readonly page: Page; readonly hear: (said: unknown) => void }>()
  #joined = 0

  constructor(hasLocks: boolean) {
    this.#locks = hasLocks ? new Locks() : undefined
  }

  open(query: string): Tab {
    const known = new Set(idsOf(this.server))
    const tab: Tab = { page: new Page(), room: undefined, place: undefined, query, heard: [], known }
    this.tabs.push(tab)
    this.join(tab)
    return tab
  }

  pause(tab: Tab): void {
    tab.place = tab.room?.leave() ?? tab.place
    tab.room = undefined
  }

  join(tab: Tab): void {
    this.#joined += 1
    const number = this.#joined
    tab.room = joinRoom({
      tab: String(number),
      query: tab.query,
      isSeen: true,
      place: tab.place,
      hear: (news) => this.#hear(tab, news),
      follow: this.server.follow(tab.page),
      channel: this.#channelOf(tab.page),
      lock: this.#locks?.of(tab.page),
      random: () => 1 / number,
    })
  }

  /** Reads its list anew when it is told to, as the page does. */
  #hear(tab: Tab, news: FeedNews): void {
    tab.heard.push(news)
    if (news.kind === 'ticket') tab.known.add(Number(news.data.id))
    const hasMissed = news.kind === 'more' || news.kind === 'gap'
    if (hasMissed || (news.kind === 'hello' && !news.data.resumed)) tab.known = new Set(idsOf(this.server))
  }

  #channelOf(page: Page): RoomOptions['channel'] {
    const own = { page, hear: (_said: unknown) => {} }
    this.#channels.add(own)
    return {
      postMessage: (said) => {
        if (page.state !== 'runs') return
        for (const one of this.#channels)
          if (one !== own) queueMicrotask(() => one.page.run(() => one.hear(structuredClone(said))))
      },
      addEventListener(_name, listener) {
        own.hear = (data) => listener({ data })
      },
      close: () => void this.#channels.delete(own),
    }
  }

  leave(tab: Tab): void {
    tab.room?.leave()
    this.#forget(tab)
  }

  crash(tab: Tab): void {
    tab.page.state = 'crashed'
    // Its timers and connections go with it; nothing that it says is heard.
    tab.room?.leave()
    this.#locks?.release(tab.page)
    this.#forget(tab)
  }

  #forget(tab: Tab): void {
    this.tabs.splice(this.tabs.indexOf(tab), 1)
  }

  async settle(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms)
  }
}

const idsOf = ({ tickets }: Server): readonly number[] => tickets.map(({ id }) => id)

const idsFor = (query: string, { tickets }: Server): readonly number[] =>
  tickets.filter((ticket) => passes(query, ticket)).map(({ id }) => id)

const missing = (browser: Browser): readonly number[] =>
  browser.tabs.flatMap(({ query, known }) => idsFor(query, browser.server).filter((id) => !known.has(id)))

test.each([true, false])('one tab reads for all, with locks: %s', async (hasLocks) => {
  const browser = new Browser(hasLocks)
  for (let count = 0; count < 8; count += 1) browser.open('')
  await browser.settle(1_000)
  expect(browser.server.feeds.size).toBe(1)
  browser.server.add('?status=failed')
  await browser.settle(0)
  for (const { heard } of browser.tabs) expect(heard.filter(({ kind }) => kind === 'ticket')).toHaveLength(1)
  expect(missing(browser)).toEqual([])
})

test('each tab hears what passes its own filters, with a connection for each of them', async () => {
  const browser = new Browser(true)
  const [all, failed, wasted] = ['', '?status=failed', '?wasted=true'].map((query) => browser.open(query))
  await browser.settle(1_000)
  expect([...browser.server.feeds].map(({ query, isWhole }) => [query, isWhole])).toEqual([
    ['', true],
    ['?status=failed', false],
    ['?wasted=true', false],
  ])
  browser.server.add('?status=failed')
  await browser.settle(0)
  const told = [all, failed, wasted].map((tab) => tab?.heard.filter(({ kind }) => kind === 'ticket').length)
  expect(told).toEqual([1, 1, 0])
})

test('more filters than connections: the rest hear that something has changed', async () => {
  const browser = new Browser(true)
  for (let count = 0; count < 6; count += 1) browser.open(`?text=${count}`)
  await browser.settle(1_000)
  expect(browser.server.feeds.size).toBe(4)
  browser.server.add('?text=0')
  browser.server.add('?text=5')
  await browser.settle(0)
  const kinds = browser.tabs.map(({ heard }) => heard.flatMap(({ kind }) => (kind === 'hello' ? [] : [kind])))
  expect(kinds[0]?.filter((kind) => kind === 'more')).toHaveLength(2)
  expect(kinds[5]?.filter((kind) => kind === 'ticket')).toHaveLength(1)
  expect(missing(browser)).toEqual([])
})

test.each([true, false])(
  'a leader that is frozen is replaced, and yields when it wakes up: %s',
  async (hasLocks) => {
    const browser = new Browser(hasLocks)
    const first = browser.open('')
    await browser.settle(1_000)
    const second = browser.open('')
    await browser.settle(1_000)
    first.page.state = 'frozen'
    browser.server.add('')
    expect(missing(browser)).toEqual([1, 1])
    await browser.settle(20_000)
    expect(second.known).toEqual(new Set([1]))
    expect(browser.server.opened).toBe(2)
    first.page.thaw()
    await browser.settle(1_000)
    expect(browser.server.feeds.size).toBe(1)
    browser.server.add('')
    await browser.settle(0)
    expect(missing(browser)).toEqual([])
    expect(second.heard.filter(({ kind }) => kind === 'ticket')).toHaveLength(2)
  },
)

test('a tab that sleeps through a change of leaders misses nothing of what was between them', async () => {
  const browser = new Browser(true)
  const [leader, sleeper] = [browser.open(''), browser.open('')]
  await browser.settle(0)
  leader.page.state = 'frozen'
  browser.open('')
  browser.open('')
  await browser.settle(4_000)
  browser.server.add('')
  sleeper.page.state = 'frozen'
  await browser.settle(19_000)
  browser.open('')
  await browser.settle(15_000)
  for (const { page } of browser.tabs) page.thaw()
  await browser.settle(1_000)
  expect(missing(browser)).toEqual([])
})

test('a pause of the leader leaves the others live, and what comes back misses nothing', async () => {
  const browser = new Browser(true)
  const [first, second] = [browser.open(''), browser.open('')]
  await browser.settle(1_000)
  second.heard.length = 0
  browser.leave(first)
  browser.server.add('')
  await browser.settle(1_000)
  expect(second.known).toEqual(new Set([1]))
  expect(second.heard.filter(({ kind }) => kind === 'gap')).toEqual([])
})

const QUERIES = ['', '?status=failed', '?status=queued', '?wasted=true', '?kind=event', '?text=a']
const step = fc.record({
  does: fc.constantFrom(
    'open',
    'leave',
    'crash',
    'freeze',
    'thaw',
    'pause',
    'goOn',
    'ticket',
    'ticket',
    'filter',
  ),
  which: fc.nat(7),
  query: fc.constantFrom(...QUERIES),
  ms: fc.constantFrom(0, 0, 200, 4_000, 15_000),
})

test.each([true, false])(
  'whatever tabs do, nothing is missing in the end, with locks: %s',
  async (hasLocks) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 24, size: 'max' }), async (steps) => {
        const browser = new Browser(hasLocks)
        browser.open('')
        for (const { does, which, query, ms } of steps) {
          const tab = browser.tabs[which % Math.max(1, browser.tabs.length)]
          if (does === 'open' && browser.tabs.length < 8) browser.open(query)
          else if (does === 'ticket') browser.server.add(query)
          else if (tab && tab.page.state === 'runs') {
            if (does === 'leave') browser.leave(tab)
            if (does === 'crash') browser.crash(tab)
            if (does === 'freeze') tab.page.state = 'frozen'
            if (does === 'pause') browser.pause(tab)
            if (does === 'goOn' && tab.room === undefined) browser.join(tab)
            if (does === 'filter') {
              tab.query = query
              tab.known = new Set(idsOf(browser.server))
              tab.room?.want(query, true)
            }
          } else if (does === 'thaw') tab?.page.thaw()
          await browser.settle(ms)
        }
        for (const tab of browser.tabs) {
          tab.page.thaw()
          if (tab.room === undefined) browser.join(tab)
        }
        // As long as a tab that crashed is remembered.
        await browser.settle(200_000)
        for (const query of QUERIES) browser.server.add(query)
        await browser.settle(0)
        expect(missing(browser)).toEqual([])
        const wanted = new Set(browser.tabs.map(({ query }) => query))
        expect(browser.server.feeds.size).toBe(Math.min(4, wanted.size))
        for (const tab of [...browser.tabs]) browser.leave(tab)
        expect(browser.server.feeds.size).toBe(0)
      }),
      { numRuns: process.env.AI_TICKET_LONG === '1' ? 1_000 : 60 },
    )
  },
)
