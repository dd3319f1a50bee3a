import type { Clock, FreeSlots, Outcome } from '@ai-ticket/core'
import type { ClaimRequest, WaitingTicket } from '../ticket/ticket-store.ts'

/** A ticket that waits this long in the dispatcher's line holds no slot: others are claimed beside it. */
const PARKED_AFTER_MS = 2_000

/** How much to claim. */
export interface ClaimRoom {
  /** Not more tickets than this; 0 or less: none. */
  readonly limit: number
  /** Tickets that ask for one of these by name stay in the queue. */
  readonly busyBackends: readonly string[]
}

interface Claimed {
  /** A backend has been called: the ticket has its slot. */
  readonly hasSlot: boolean
  /** Monotonic, of the claim. */
  readonly since: number
}

/**
 * How many tickets would get a slot at once. A ticket for an unknown backend is claimed, so that it fails instead
 * of waiting.
 */
export function claimRoom(
  slots: readonly FreeSlots[],
  {
    runs,
    unrecorded,
    now,
  }: { readonly runs: readonly Claimed[]; readonly unrecorded: number; readonly now: number },
): ClaimRoom {
  const free = slots.reduce((sum, one) => sum + one.free, 0)
  const starting = runs.filter(({ hasSlot, since }) => !hasSlot && now - since < PARKED_AFTER_MS).length
  return {
    // What the store does not take is held here, so there must not be ever more of it.
    limit: Math.min(free - starting, 2 * allSlots(slots) - runs.length - unrecorded),
    busyBackends: slots.filter((one) => one.free <= 0).map(({ backend }) => backend),
  }
}

const allSlots = (slots: readonly FreeSlots[]): number =>
  slots.reduce((sum, { concurrency }) => sum + concurrency, 0)

/** How long a run takes, in milliseconds; undefined: none was seen yet. */
interface WorkTimes {
  readonly warm: number | undefined
  readonly cold: number | undefined
}

/** Share of what was known before that counts on. */
const KEPT = 0.8
/** Tickets that were passed over and are known: those that a claim looks at, many times over. */
const MOST_PASSED = 1_000

export interface TicketChooserOptions {
  readonly clock: Clock
  /** From the first time that a ticket is passed over, for so long others may go before it. 0: never. */
  readonly overtakeMs: number
}

/**
 * Chooses among the tickets that are next the one whose beginning a free backend has read last. Only tickets of one
 * priority change places, so the order of different priorities stays as it was, age included. Everybody who is passed over
 * must still be able to start within `overtakeMs`: one is only taken before others if all of them could be served
 * in time afterwards, those that begin alike together. So a long backlog is worked through in portions, instead of being
 * overtaken as a whole until the time of all is up.
 */
export class TicketChooser {
  #options: TicketChooserOptions
  readonly #passedAt = new Map<number, number>()
  /** Turns that each sender has had before they came. */
  #early: Map<string, number> = new Map()
  #times: WorkTimes = { warm: undefined, cold: undefined }

  constructor(options: TicketChooserOptions) {
    this.#options = options
  }

  change(overtakeMs: number): void {
    this.#options = { ...this.#options, overtakeMs }
  }

  /** Undefined: nothing is warm where a slot is free, so the first ones are as good as any. */
  chooserFor(slots: readonly FreeSlots[], limit: number): ClaimRequest['choose'] {
    const { overtakeMs } = this.#options
    const free = slots.filter((one) => one.free > 0)
    if (overtakeMs === 0 || free.every(({ warm = [] }) => warm.length === 0)) return undefined
    return (line) => this.#choose(line, limit, slots)
  }

  /** A ticket was answered: how long that takes tells how many may be passed over. */
  learn({ error, usage, attempts }: Outcome): void {
    const last = attempts.at(-1)
    if (error !== undefined || last === undefined) return
    const { saved_prompt_tokens: saved = 0, duration_ms: ms } = last
    const kind = saved > 0 && saved >= (usage?.prompt_tokens ?? 0) / 2 ? 'warm' : 'cold'
    const known = this.#times[kind] ?? ms
    this.#times = { ...this.#times, [kind]: KEPT * known + (1 - KEPT) * ms }
  }

  #choose(line: readonly WaitingTicket[], limit: number, slots: readonly FreeSlots[]): WaitingTicket[] {
    let rest = line
    const chosen: WaitingTicket[] = []
    const open = slots.flatMap(({ free, warm = [] }) => Array.from({ length: free }, () => new Set(warm)))
    while (chosen.length < limit) {
      const turns = firstAlike(rest)
      const candidates = this.#inFairOrder(turns)
      const place = this.#warmPlace(candidates, open, allSlots(slots))
      const ticket = candidates[place]
      if (ticket === undefined) break
      this.#notePassed(candidates.slice(0, place), ticket)
      this.#noteTurn(ticket, { turns, passed: candidates.slice(0, place) })
      rest = rest.filter((one) => one !== ticket)
      chosen.push(ticket)
      takeSlot(open, ticket)
    }
    return chosen
  }

  /**
   * A sender that was served early yields as many turns: its tickets stand where they would if it had had them in its
   * turn. A sender with nothing in line any more owes nothing.
   */
  #inFairOrder(candidates: readonly WaitingTicket[]): readonly WaitingTicket[] {
    const present = new Map(candidates.map(({ sender }) => [sender, this.#early.get(sender) ?? 0]))
    const least = Math.min(...present.values())
    this.#early = new Map([...present].map(([sender, early]) => [sender, early - least]))
    const rounds = new Map(this.#early)
    // Tickets of one priority come in rounds, in each the senders in the same order.
    const places = new Map([...present.keys()].map((sender, place) => [sender, place]))
    return candidates
      .map((ticket) => {
        const round = rounds.get(ticket.sender) ?? 0
        rounds.set(ticket.sender, round + 1)
        return { ticket, round, place: places.get(ticket.sender) ?? 0 }
      })
      .sort((one, other) => one.round - other.round || one.place - other.place)
      .map(({ ticket }) => ticket)
  }

  /** The place of the one to take: the first that is warm, unless somebody before it would wait for too long. */
  #warmPlace(
    candidates: readonly WaitingTicket[],
    open: readonly ReadonlySet<string>[],
    servers: number,
  ): number {
    const place = candidates.findIndex(({ prefix }) => isWarm(open, prefix))
    return place > 0 && this.#mayPass(candidates.slice(0, place), servers) ? place : 0
  }

  /** Whether all of these could still start in time, after one warm ticket more. */
  #mayPass(passed: readonly WaitingTicket[], servers: number): boolean {
    const { clock, overtakeMs } = this.#options
    const { cold } = this.#times
    if (cold === undefined) return false
    const warm = Math.min(this.#times.warm ?? cold, cold)
    const now = clock.now()
    let workMs = warm
    for (const group of groupsOf(passed)) {
      for (const [index, { seq }] of group.entries()) {
        const leftMs = (this.#passedAt.get(seq) ?? now) + overtakeMs - now
        if (workMs / servers > leftMs) return false
        workMs += index === 0 ? cold : warm
      }
    }
    return true
  }

  /** A ticket that goes before others is a turn had early; one that goes in its turn is one that those before it have yielded. */
  #noteTurn(
    ticket: WaitingTicket,
    {
      turns,
      passed,
    }: { readonly turns: readonly WaitingTicket[]; readonly passed: readonly WaitingTicket[] },
  ): void {
    const { sender } = ticket
    const isEarly = passed.some((one) => one.sender !== sender)
    const before = turns.slice(0, turns.indexOf(ticket)).map((one) => one.sender)
    for (const one of isEarly ? [sender] : new Set(before)) {
      const early = (this.#early.get(one) ?? 0) + (isEarly ? 1 : -1)
      if (early >= 0) this.#early.set(one, early)
    }
  }

  #notePassed(passed: readonly WaitingTicket[], { seq }: WaitingTicket): void {
    const now = this.#options.clock.now()
    for (const one of passed) if (!this.#passedAt.has(one.seq)) this.#passedAt.set(one.seq, now)
    this.#passedAt.delete(seq)
    while (this.#passedAt.size > MOST_PASSED) this.#passedAt.delete(this.#passedAt.keys().next().value ?? 0)
  }
}

/** Those at the head of the line that have one priority. */
function firstAlike(line: readonly WaitingTicket[]): readonly WaitingTicket[] {
  const end = line.findIndex(({ priority }) => priority !== line[0]?.priority)
  return end < 0 ? line : line.slice(0, end)
}

const isWarm = (open: readonly ReadonlySet<string>[], prefix: string | undefined): boolean =>
  prefix !== undefined && open.some((warm) => warm.has(prefix))

/** Those that begin alike, in the order of the first of each. */
const groupsOf = (tickets: readonly WaitingTicket[]): Iterable<readonly WaitingTicket[]> =>
  Map.groupBy(tickets, ({ seq, prefix }) => prefix ?? seq).values()

/** The slot that it is likely to get: one where it is warm, else one where nothing is. */
function takeSlot(open: Set<string>[], { prefix }: WaitingTicket): void {
  const warm = open.findIndex((one) => prefix !== undefined && one.has(prefix))
  const place = warm >= 0 ? warm : open.findIndex(({ size }) => size === 0)
  open.splice(place >= 0 ? place : open.length - 1, 1)
}
