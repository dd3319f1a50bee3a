import type { FeedNews } from './feed.ts'
import { SharedFeeds, type SharedFeedsOptions, type Told, type Want } from './shared-feeds.ts'

/** What tabs say to each other. A leader has a term; a later one counts more. */
type Said =
  | ({ readonly kind: 'want' } & Want)
  | { readonly kind: 'bye'; readonly tab: string }
  | { readonly kind: 'again' }
  | ({ readonly kind: 'here' | 'gone' } & Leader)
  | ({ readonly kind: 'told'; readonly told: Told } & Leader)

interface Leader {
  readonly term: number
  readonly leader: string
}

/** The methods of a `BroadcastChannel` that are used. */
interface Channel {
  postMessage(said: unknown): void
  addEventListener(name: 'message', listener: (event: { readonly data: unknown }) => void): void
  close(): void
}

export interface RoomOptions {
  /** Of this tab among the others. */
  readonly tab: string
  readonly query: string
  readonly isSeen: boolean
  /** Of the last event that was heard before; undefined: none was. */
  readonly place: string | undefined
  readonly hear: (news: FeedNews) => void
  readonly follow: SharedFeedsOptions['follow']
  /** Undefined: the browser has none, and every tab reads for itself. */
  readonly channel: Channel | undefined
  /** Undefined: the page came over plain HTTP from a name. */
  readonly lock: Lock | undefined
  readonly random: () => number
}

/** One lock of `navigator.locks`. */
export interface Lock {
  /** Calls `hold` when it is this tab's, until what that gives back resolves. Rejects when it was stolen or the signal is aborted. */
  request(
    options: { readonly steal: true } | { readonly signal: AbortSignal },
    hold: () => Promise<void>,
  ): Promise<unknown>
}

export interface Room {
  /** Other filters, or nobody looks any longer. */
  want(query: string, isSeen: boolean): void
  /** Tries at once what was lost or refused. */
  again(): void
  /** Gives back the place to go on from. */
  leave(): string | undefined
}

/** Every tab says so often that it is there, and hears from the one that reads. */
const BEAT_MS = 3_000
/** A leader that does not answer so many times is frozen, or has died without a word. */
const MOST_UNANSWERED = 3
/** A browser lets a hidden tab speak once a minute. */
const FORGOTTEN_BEATS = 50
/** Without locks: a leader answers within. */
const ANSWER_MS = 300

/**
 * Joins the tabs of this browser that want the same feed: one of them, the leader, reads for all and tells the others. It
 * holds a lock where there are locks, so that another takes over at once when it goes. One that is frozen holds the lock and
 * says nothing: it is robbed, and yields when it wakes up, because a later term counts more.
 */
export function joinRoom(options: RoomOptions): Room {
  const member = new Member(options)
  return {
    want: (query, isSeen) => member.want(query, isSeen),
    again: () => member.again(),
    leave: () => member.leave(),
  }
}

class Member {
  readonly #options: RoomOptions
  #query: string
  #isSeen: boolean
  #place: string | undefined
  /** Nothing was missed since `#place`. */
  #isInStep = false
  #leader: Leader | undefined
  #unanswered = 0
  /** While this tab leads. */
  #feeds: SharedFeeds | undefined
  /** Beats since each of the others was heard. */
  readonly #silent = new Map<string, number>()
  readonly #beat: ReturnType<typeof setInterval>
  #claim: ReturnType<typeof setTimeout> | undefined
  #queued = new AbortController()
  #release: (() => void) | undefined
  #hasLeft = false

  constructor(options: RoomOptions) {
    this.#options = options
    this.#query = options.query
    this.#isSeen = options.isSeen
    this.#place = options.place
    options.channel?.addEventListener('message', ({ data }) => {
      if (!this.#hasLeft) this.#onSaid(data as Said)
    })
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS)
    this.#sayWant()
    if (options.channel === undefined) this.#lead()
    else if (options.lock) this.#queue()
    else this.#claimSoon()
  }

  want(query: string, isSeen: boolean): void {
    if (query !== this.#query) this.#isInStep = false
    this.#query = query
    this.#isSeen = isSeen
    this.#sayWant()
  }

  again(): void {
    if (this.#feeds) this.#feeds.again()
    else this.#say({ kind: 'again' })
  }

  leave(): string | undefined {
    this.#say({ kind: 'bye', tab: this.#options.tab })
    if (this.#feeds && this.#leader) this.#say({ kind: 'gone', ...this.#leader })
    this.#hasLeft = true
    clearInterval(this.#beat)
    clearTimeout(this.#claim)
    this.#stopLeading()
    this.#queued.abort()
    this.#options.channel?.close()
    return this.#place
  }

  #say(said: Said): void {
    this.#options.channel?.postMessage(said)
  }

  #sayWant(): void {
    const { tab } = this.#options
    const want = {
      tab,
      query: this.#query,
      isSeen: this.#isSeen,
      place: this.#place,
      isInStep: this.#isInStep,
    }
    if (this.#feeds) this.#feeds.want(want)
    else this.#say({ kind: 'want', ...want })
  }

  #onSaid(said: Said): void {
    if (said.kind === 'want') this.#onWant(said)
    else if (said.kind === 'bye') this.#feeds?.forget(said.tab)
    else if (said.kind === 'again') this.#feeds?.again()
    else if (said.kind === 'gone') this.#onGone(said)
    else if (this.#isFromLeader(said) && said.kind === 'told') this.#take(said.told)
  }

  #onWant(want: Want): void {
    if (this.#feeds === undefined || this.#leader === undefined) return
    this.#silent.set(want.tab, 0)
    this.#say({ kind: 'here', ...this.#leader })
    this.#feeds.want(want)
  }

  #onGone({ term, leader }: Leader): void {
    if (this.#leader?.term !== term || this.#leader.leader !== leader) return
    // Its lock goes to the next one by itself.
    if (this.#options.lock === undefined) this.#claimSoon()
  }

  /** Also takes note of who leads now. */
  #isFromLeader({ term, leader }: Leader): boolean {
    const known = this.#leader
    const isSame = known?.term === term && known.leader === leader
    const isLater = known === undefined || term > known.term || (term === known.term && leader < known.leader)
    if (!isSame && !isLater) {
      if (this.#feeds && known) this.#say({ kind: 'here', ...known })
      return false
    }
    this.#unanswered = 0
    if (isSame) return true
    this.#leader = { term, leader }
    clearTimeout(this.#claim)
    if (this.#feeds) {
      this.#stopLeading()
      this.#queue()
    }
    this.#sayWant()
    // What it tells all may come after a hole, until it has told this tab whether there is one.
    this.#isInStep = false
    return true
  }

  #take({ query, isForAll, to, news, place }: Told): void {
    if (to !== undefined && to !== this.#options.tab) return
    if (query !== this.#query && !isForAll) return
    // What all are told before the welcome may come after something that was missed.
    if (to !== undefined) this.#isInStep = true
    if (query === this.#query && this.#isInStep) this.#place = place
    if (news) this.#options.hear(news)
  }

  #onBeat(): void {
    if (this.#feeds) {
      for (const [tab, beats] of this.#silent) {
        this.#silent.set(tab, beats + 1)
        if (beats < FORGOTTEN_BEATS) continue
        this.#silent.delete(tab)
        this.#feeds.forget(tab)
      }
      return
    }
    this.#unanswered += 1
    if (this.#unanswered <= MOST_UNANSWERED) this.#sayWant()
    else this.#takeOver()
  }

  #takeOver(): void {
    this.#unanswered = 0
    if (this.#options.lock) this.#queue(true)
    else this.#lead()
  }

  #queue(isTheft = false): void {
    const { lock } = this.#options
    if (lock === undefined) return
    this.#queued.abort()
    const own = new AbortController()
    this.#queued = own
    const hold = async () => {
      if (this.#hasLeft || own !== this.#queued) return
      this.#lead()
      await new Promise<void>((resolve) => {
        this.#release = resolve
      })
    }
    lock.request(isTheft ? { steal: true } : { signal: own.signal }, hold).catch(() => {
      // Robbed while it slept, unless it has left or asked again.
      if (this.#hasLeft || own !== this.#queued) return
      this.#stopLeading()
      this.#queue()
    })
  }

  /** All who miss a leader do the same: the one who is quickest leads, and of two the later term or the lower name. */
  #claimSoon(): void {
    clearTimeout(this.#claim)
    const before = this.#leader
    this.#claim = setTimeout(
      () => {
        if (this.#leader === before && this.#feeds === undefined) this.#lead()
      },
      ANSWER_MS * (1 + this.#options.random()),
    )
  }

  #lead(): void {
    const { tab, follow } = this.#options
    const leader = { term: (this.#leader?.term ?? 0) + 1, leader: tab }
    this.#leader = leader
    this.#feeds = new SharedFeeds({
      follow,
      tell: (told) => {
        this.#say({ kind: 'told', told, ...leader })
        this.#take(told)
      },
    })
    this.#sayWant()
    this.#say({ kind: 'here', ...leader })
  }

  #stopLeading(): void {
    this.#feeds?.close()
    this.#feeds = undefined
    this.#silent.clear()
    this.#release?.()
    this.#release = undefined
  }
}
