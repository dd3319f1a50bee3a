import { AGEING_MS } from '../ticket/ticket-store.ts'

/** A waiting ticket that is due, without its texts. */
export interface WaitingTicket {
  readonly seq: number
  readonly rank: number
  readonly priority: number
}

/** One who waits, with the last turn and the first tickets, by rank. */
export interface Sender {
  readonly sender: string
  /** When it was served last; 0: never. */
  readonly servedAt: number
  /** Grows with every serving; of two that were served in the same millisecond it tells who was first. */
  readonly turn: number
  readonly waiting: readonly WaitingTicket[]
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

/** A served ticket, and whose it was. */
export interface Served {
  readonly sender: string
  readonly ticket: WaitingTicket
}

/** The next tickets, in the order of their turns. */
export function takeTurns(senders: readonly Sender[], limit: number, now: number): readonly Served[] {
  // One that was served in a future that somebody took back was served just now.
  const line = senders.map((one) => ({ ...one, servedAt: Math.min(one.servedAt, now), next: 0 }))
  let lastTurn = line.reduce((last, { turn }) => Math.max(last, turn), 0)
  const served: Served[] = []
  while (served.length < limit) {
    const first = firstOf(line)
    const ticket = first?.waiting[first.next]
    if (first === undefined || ticket === undefined) break
    served.push({ sender: first.sender, ticket })
    first.next += 1
    first.servedAt = now
    first.turn = ++lastTurn
  }
  return served
}

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

function orderOf({ waiting, next, servedAt, turn }: InLine): readonly number[] | undefined {
  const ticket = waiting[next]
  return ticket && [scoreOf(ticket, servedAt), turn, ticket.rank, ticket.seq]
}

function isBefore(order: readonly number[], other: readonly number[]): boolean {
  const index = order.findIndex((value, place) => value !== other[place])
  return index >= 0 && Number(order[index]) < Number(other[index])
}

/** Of each sender its last turn only, in their order. */
export const lastTurns = (served: readonly Served[]): readonly string[] =>
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
