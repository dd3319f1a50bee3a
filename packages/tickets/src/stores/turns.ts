import { AGEING_MS, type ClaimRequest, type WaitingTicket } from '../ticket/ticket-store.ts'

/** One who waits, with the last turn and the first tickets, by rank. */
export interface Sender {
  readonly sender: string
  /** When it was served last; 0: never. */
  readonly servedAt: number
  /** Grows with every serving; of two that were served in the same millisecond it tells who was first. */
  readonly turn: number
  readonly waiting: readonly WaitingTicket[]
  /** More wait than were read. */
  readonly hasMore?: boolean
}

/**
 * Who goes next. Each sender stands in line with its first ticket alone, and its wait counts from its last turn: so
 * senders of one priority take turns, however long the backlog of one is and however old. The lowest score is first.
 */
const scoreOf = ({ rank, priority }: WaitingTicket, servedAt: number): number =>
  Math.max(rank, servedAt - priority * AGEING_MS)

/** The same in the words of a database, whose greater and smaller of two values have different names. */
export const scoreSql = ({ greater, smaller, now }: Record<'greater' | 'smaller' | 'now', string>): string =>
  `${greater}(head.rank, ${smaller}(coalesce(last.served_at, 0), ${now}) - head.priority * ${AGEING_MS})`

/** The next tickets, in the order of their turns, as far as it is known. */
export function takeTurns(senders: readonly Sender[], limit: number, now: number): readonly WaitingTicket[] {
  // One that was served in a future that somebody took back was served just now.
  const line = senders.map((one) => ({ ...one, servedAt: Math.min(one.servedAt, now), next: 0 }))
  let lastTurn = line.reduce((last, { turn }) => Math.max(last, turn), 0)
  const served: WaitingTicket[] = []
  while (served.length < limit) {
    const first = firstOf(line)
    if (first === undefined) break
    const ticket = first.waiting[first.next]
    if (ticket === undefined) break
    served.push(ticket)
    first.next += 1
    first.servedAt = now
    first.turn = ++lastTurn
  }
  return served
}

const UNKNOWN: readonly number[] = [Number.NEGATIVE_INFINITY]

/** Senders by whose first ticket is next. */
export const inTurn = (senders: readonly Sender[], now: number): readonly Sender[] =>
  senders
    .map((one) => ({ one, order: orderOf({ ...one, servedAt: Math.min(one.servedAt, now), next: 0 }) }))
    .sort((one, other) => (isBefore(one.order ?? LAST, other.order ?? LAST) ? -1 : 1))
    .map(({ one }) => one)

const LAST: readonly number[] = [Number.POSITIVE_INFINITY]

/** Whether the first so many are known, where all others were last served after `behind` and have no higher priority. */
export function isSettled(
  senders: readonly Sender[],
  {
    limit,
    now,
    behind,
  }: {
    readonly limit: number
    readonly now: number
    readonly behind: { readonly servedAt: number; readonly turn: number; readonly priority: number }
  },
): boolean {
  const last = inTurn(senders, now)[limit - 1]
  const [ticket] = last?.waiting ?? []
  if (last === undefined || ticket === undefined) return false
  const score = scoreOf(ticket, Math.min(last.servedAt, now))
  const lowest = Math.min(behind.servedAt, now) - behind.priority * AGEING_MS
  return score < lowest || (score === lowest && behind.servedAt < now && last.turn <= behind.turn)
}

type InLine = { -readonly [Key in keyof Sender]: Sender[Key] } & { next: number }

function firstOf(line: readonly InLine[]): InLine | undefined {
  let first: { readonly one: InLine; readonly order: readonly number[] } | undefined
  for (const one of line) {
    const order = orderOf(one)
    if (order && (first === undefined || isBefore(order, first.order))) first = { one, order }
  }
  return first?.one
}

function orderOf({ waiting, next, servedAt, turn, hasMore }: InLine): readonly number[] | undefined {
  const ticket = waiting[next]
  // Nobody knows who comes after this one.
  if (ticket === undefined && hasMore) return UNKNOWN
  return ticket && [scoreOf(ticket, servedAt), turn, ticket.rank, ticket.seq]
}

function isBefore(order: readonly number[], other: readonly number[]): boolean {
  const index = order.findIndex((value, place) => value !== other[place])
  return index >= 0 && Number(order[index]) < Number(other[index])
}

/** So many tickets are looked at where a claim may choose: more than may be passed over within the usual bound. */
const LOOK_AHEAD = 64

/** How many tickets a claim reads, in the order of their turns. */
export const readsOf = ({ limit, choose }: Pick<ClaimRequest, 'limit' | 'choose'>): number =>
  choose === undefined ? limit : Math.max(limit, LOOK_AHEAD)

/**
 * How many tickets of each sender are read. Where only a look ahead is wanted, it may end sooner: 64 senders with 64
 * tickets each would be four thousand rows.
 */
export const readsOfEach = (request: Pick<ClaimRequest, 'limit' | 'choose'>, senders: number): number =>
  Math.min(readsOf(request), request.limit + Math.ceil((2 * LOOK_AHEAD) / Math.max(1, senders)))

/** Those that are to be claimed, of the next ones in line. */
export const chooseServed = (
  line: readonly WaitingTicket[],
  { limit, choose }: Pick<ClaimRequest, 'limit' | 'choose'>,
): readonly WaitingTicket[] => (choose ? choose(line) : line).slice(0, limit)

/** Of each sender its last turn only, in their order. */
export const lastTurns = (served: readonly WaitingTicket[]): readonly string[] =>
  [...new Set(served.map(({ sender }) => sender).toReversed())].toReversed()

/** The last places are for those who have few tickets waiting: one who sends many keeps nobody out. */
const RESERVED_SHARE = 0.1
/** Of the places that are left then, so many are for one sender. */
const SENDER_SHARE = 0.1

export interface Places {
  readonly capacity: number
  readonly queued: number
  /** Counts the waiting tickets of the sender, up to a limit. Asked only where few places are left. */
  readonly countOwn: (limit: number) => number
}

/** Which limit stands against one more ticket; undefined: none does. */
export function fullBy({ capacity, queued, countOwn }: Places): 'store' | 'sender' | undefined {
  if (queued >= capacity) return 'store'
  const share = shareOf({ capacity, queued })
  return share !== undefined && countOwn(share) >= share ? 'sender' : undefined
}

/** How many tickets one sender may have waiting; undefined: as many as there are places. */
export function shareOf({ capacity, queued }: Omit<Places, 'countOwn'>): number | undefined {
  const left = capacity - queued
  return left > capacity * RESERVED_SHARE ? undefined : Math.ceil(left * SENDER_SHARE)
}
