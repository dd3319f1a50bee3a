export interface Waiter {
  /** −100…100, higher first. */
  readonly priority: number
  /** The caller; the callers of one priority take turns. */
  readonly caller: string
  /** On the clock of `next`, in milliseconds. */
  readonly enteredAt: number
  /** Names of the backends that may serve it: all that the event allows, those that are down now included. */
  readonly backends: readonly string[]
  /** It was accepted before, and its only backend turned out to be busy: it goes before all others. */
  readonly headOfLine?: boolean
}

export interface LineOptions {
  /** Places. Those at the head take none: they were admitted before. Default 1,000. */
  readonly capacity?: number
  /** So long a wait, in milliseconds, is worth one step of priority. Default 30,000. */
  readonly ageingMs?: number
}

interface Caller {
  /** Callers are served in the order of these numbers; a new one is drawn on arrival and after every serving. */
  turn: number
  waiters: number
  /** Turns that it has had before they came, because its prompts were warm. The next ones are not its own. */
  early: number
}

const LOWEST = -100
const PRIORITIES = 201
const NOBODY = Number.NEGATIVE_INFINITY

/**
 * The one waiting line of a desk. Nothing in it runs by itself: `next` is asked when a slot is free. Waiters are known
 * by identity: the ids of events come from their callers and may repeat.
 *
 * The next waiter for a backend, among those it may serve:
 * 1. those at the head of the line, oldest first;
 * 2. the highest effective priority: one's own and one more per `ageingMs` of waiting, so that nobody starves;
 * 3. between waiters of the same own priority the callers take turns, whatever their age. Age only lifts a priority
 *    over another one; else a caller with a long backlog would shut out everybody who came half a minute later.
 *    Nobody is overtaken so by a waiter of another priority with a lower effective one;
 * 4. of one caller, the oldest.
 *
 * A full line turns away the caller with the most places, not whoever comes next: `makeRoom`.
 *
 * A caller who comes, or comes back, stands behind the callers who wait already, so none can gain by leaving, nor can
 * a stream of new callers shut out an old one.
 */
export class WaitingLine<W extends Waiter = Waiter> {
  #capacity: number
  #ageingMs: number
  readonly #waiters = new Set<W>()
  readonly #callers = new Map<string, Caller>()
  #heads = 0
  #lastTurn = 0

  constructor({ capacity = 1000, ageingMs = 30_000 }: LineOptions = {}) {
    this.#capacity = capacity
    this.#ageingMs = ageingMs
  }

  /** Waiters that are in line stay there, even beyond a smaller capacity. */
  change({ capacity, ageingMs }: Required<LineOptions>): void {
    this.#capacity = capacity
    this.#ageingMs = ageingMs
  }

  get size(): number {
    return this.#waiters.size
  }

  get oldestEnteredAt(): number | undefined {
    let oldest: number | undefined
    for (const { enteredAt } of this.#waiters) oldest = Math.min(oldest ?? enteredAt, enteredAt)
    return oldest
  }

  /** `full`: refused, nothing changed. A waiter that stands in line already is a bug and throws. */
  enter(waiter: W): 'queued' | 'full' {
    check(this.#waiters, waiter)
    if (!waiter.headOfLine && this.size - this.#heads >= this.#capacity) return 'full'
    this.#waiters.add(waiter)
    if (waiter.headOfLine) this.#heads += 1
    const caller = this.#callers.get(waiter.caller)
    if (caller === undefined)
      this.#callers.set(waiter.caller, { turn: ++this.#lastTurn, waiters: 1, early: 0 })
    else caller.waiters += 1
    return 'queued'
  }

  /**
   * Takes a place from the caller with the most places, for somebody who would have fewer even then: that caller's
   * newest waiter of its lowest priority leaves. Undefined: nobody has so many more, and the line stays full.
   */
  makeRoom({ caller: newcomer }: Waiter): W | undefined {
    const places = new Map<string, number>()
    for (const { caller, headOfLine } of this.#waiters) {
      if (!headOfLine) places.set(caller, (places.get(caller) ?? 0) + 1)
    }
    let most = (places.get(newcomer) ?? 0) + 1
    let greatest: string | undefined
    for (const [caller, count] of places) {
      if (count <= most) continue
      most = count
      greatest = caller
    }
    let last: W | undefined
    for (const waiter of this.#waiters) {
      if (waiter.headOfLine || waiter.caller !== greatest) continue
      if (last === undefined || waiter.priority <= last.priority) last = waiter
    }
    if (last) this.leave(last)
    return last
  }

  has(waiter: W): boolean {
    return this.#waiters.has(waiter)
  }

  /** False: it was not in line (any more). */
  leave(waiter: W): boolean {
    if (!this.#waiters.delete(waiter)) return false
    if (waiter.headOfLine) this.#heads -= 1
    const caller = this.#callers.get(waiter.caller)
    if (caller === undefined) return true
    caller.waiters -= 1
    if (caller.waiters === 0) this.#callers.delete(waiter.caller)
    return true
  }

  /** Takes out who gets a free slot of this backend; undefined: nobody waits for it who may go. */
  next(backend: string, now: number, mayGo?: (waiter: W) => boolean): W | undefined {
    const isMeant = meantFor(backend, mayGo)
    const head = this.#heads > 0 ? this.#oldestHead(isMeant) : undefined
    const waiter = head ?? this.#bestOf(isMeant, now)
    if (waiter) this.serve(waiter)
    return waiter
  }

  /**
   * Those who would be served with slots of this backend one after another, if nobody came: the first one as `next` has
   * it, and behind it all of its priority as their callers' turns go. One at the head of the line stands alone.
   */
  order(backend: string, now: number, mayGo?: (waiter: W) => boolean): readonly W[] {
    const isMeant = meantFor(backend, mayGo)
    const head = this.#heads > 0 ? this.#oldestHead(isMeant) : undefined
    if (head) return [head]
    return this.#inTurns(this.#foremost(isMeant, now))
  }

  /** Everybody as they would be served if one slot could serve all, and nobody came. An estimate: turns go on meanwhile. */
  inOrder(now: number): readonly W[] {
    const order = this.waiting()
      .filter(({ headOfLine }) => headOfLine)
      .sort((one, other) => one.enteredAt - other.enteredAt)
    const left = new Set(this.#waiters)
    for (const head of order) left.delete(head)
    while (left.size > 0) {
      const next = this.#inTurns(this.#foremost((waiter) => left.has(waiter), now))
      for (const waiter of next) left.delete(waiter)
      order.push(...next)
    }
    return order
  }

  /** Waiters of one priority as their callers' turns go. */
  #inTurns(waiters: readonly W[]): readonly W[] {
    const ofCallers = new Map<string, W[]>()
    for (const waiter of waiters) {
      const own = ofCallers.get(waiter.caller)
      if (own) own.push(waiter)
      else ofCallers.set(waiter.caller, [waiter])
    }
    const inTurn = [...ofCallers.values()].sort(
      ([one], [other]) => (one ? this.#turnOf(one) : 0) - (other ? this.#turnOf(other) : 0),
    )
    const places = inTurn.flatMap((own) => {
      const early = (own[0] && this.#callers.get(own[0].caller)?.early) ?? 0
      own.sort((one, other) => one.enteredAt - other.enteredAt)
      return own.map((waiter, index) => ({ waiter, round: early + index }))
    })
    return places.sort((one, other) => one.round - other.round).map(({ waiter }) => waiter)
  }

  /**
   * Takes out one that has got a slot: its caller's turn is over. `isEarly`: it was served before its turn, so its caller
   * owes one to the others, for as long as it has somebody in line.
   */
  serve(waiter: W, isEarly = false): void {
    const caller = this.#callers.get(waiter.caller)
    this.leave(waiter)
    // The turn of one at the head was taken when it was served first.
    if (caller === undefined || waiter.headOfLine) return
    if (isEarly) {
      caller.early += 1
      return
    }
    for (const other of this.#callers.values()) {
      // Its turn would have come now, and it has had that one.
      if (other.turn >= caller.turn || other.early <= caller.early) continue
      other.early -= 1
      other.turn = ++this.#lastTurn
    }
    caller.turn = ++this.#lastTurn
  }

  /** One's own priority, and one more for each while of waiting. */
  effective({ priority, enteredAt }: Waiter, now: number): number {
    return priority + Math.floor(Math.max(0, now - enteredAt) / this.#ageingMs)
  }

  /**
   * The waiters that would be served before this one if nobody else came, as far as they want the same backends. An estimate; the
   * waiter need not have entered.
   */
  ahead(waiter: Waiter, now: number): readonly W[] {
    const rivals = this.waiting().filter((other) => competes(other, waiter))
    const everybody: readonly Waiter[] = rivals
    const place = everybody.indexOf(waiter)
    const older = (other: W, index: number) =>
      other.enteredAt < waiter.enteredAt || (other.enteredAt === waiter.enteredAt && index < place)
    if (waiter.headOfLine) return rivals.filter((other, index) => other.headOfLine && older(other, index))
    const sameTurn = (other: W) => other.caller === waiter.caller && other.priority === waiter.priority
    const ownBefore = rivals.filter((other, index) => sameTurn(other) && older(other, index)).length
    const taken = new Map<string, number>()
    return rivals.filter((other, index) => {
      if (other.headOfLine) return true
      if (other.priority !== waiter.priority) {
        return this.effective(other, now) > this.effective(waiter, now)
      }
      if (other.caller === waiter.caller) return older(other, index)
      const served = taken.get(other.caller) ?? 0
      taken.set(other.caller, served + 1)
      return served < ownBefore + (this.#turnOf(other) < this.#turnOf(waiter) ? 1 : 0)
    })
  }

  /** Everybody, in order of arrival, for closing and for showing. */
  waiting(): readonly W[] {
    return [...this.#waiters]
  }

  #turnOf({ caller }: Waiter): number {
    return this.#callers.get(caller)?.turn ?? 0
  }

  #oldestHead(isMeant: (waiter: W) => boolean): W | undefined {
    let oldest: W | undefined
    for (const waiter of this.#waiters) {
      if (!waiter.headOfLine || !isMeant(waiter)) continue
      if (oldest === undefined || waiter.enteredAt < oldest.enteredAt) oldest = waiter
    }
    return oldest
  }

  /** The winning priority, and of it nobody who is below the best of the others. */
  #foremost(isMeant: (waiter: W) => boolean, now: number): W[] {
    const tops = new Float64Array(PRIORITIES).fill(NOBODY)
    const present: W[] = []
    for (const waiter of this.#waiters) {
      if (waiter.headOfLine || !isMeant(waiter)) continue
      present.push(waiter)
      const index = waiter.priority - LOWEST
      tops[index] = Math.max(tops[index] ?? NOBODY, this.effective(waiter, now))
    }
    const { best, rival } = bestTwo(tops)
    return present.filter(
      (waiter) => tops[waiter.priority - LOWEST] === best && this.effective(waiter, now) >= rival,
    )
  }

  #bestOf(isMeant: (waiter: W) => boolean, now: number): W | undefined {
    let first: W | undefined
    let firstTurn = 0
    for (const waiter of this.#foremost(isMeant, now)) {
      const turn = this.#turnOf(waiter)
      const earlier = first !== undefined && turn === firstTurn && waiter.enteredAt < first.enteredAt
      if (first !== undefined && turn >= firstTurn && !earlier) continue
      first = waiter
      firstTurn = turn
    }
    return first
  }
}

/** The highest value, and the highest of the others: the same again where two are highest. */
function bestTwo(values: Float64Array): { best: number; rival: number } {
  let best = NOBODY
  let rival = NOBODY
  for (const value of values) {
    rival = Math.max(rival, Math.min(best, value))
    best = Math.max(best, value)
  }
  return { best, rival }
}

const meantFor =
  <W extends Waiter>(backend: string, mayGo: ((waiter: W) => boolean) | undefined) =>
  (waiter: W): boolean =>
    waiter.backends.includes(backend) && (mayGo?.(waiter) ?? true)

const competes = (one: Waiter, other: Waiter) => one.backends.some((name) => other.backends.includes(name))

/** A priority beyond the table would never be served, and a second entry would be counted and never leave. */
function check<W extends Waiter>(waiters: ReadonlySet<W>, waiter: W): void {
  if (waiters.has(waiter)) throw new Error('A waiter entered the line twice.')
  const index = waiter.priority - LOWEST
  if (!Number.isInteger(index) || index < 0 || index >= PRIORITIES) {
    throw new RangeError(`priority must be a whole number from -100 to 100, not ${waiter.priority}`)
  }
}
