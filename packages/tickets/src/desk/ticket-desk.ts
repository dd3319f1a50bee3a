import { sleep, type Timer } from '@ai-ticket/core'
import { ClaimLoop } from '../ticket/claim-loop.ts'
import type { StoreUnavailable } from '../ticket/store-unavailable.ts'
import type { Ticket } from '../ticket/ticket.ts'
import { createHub, type TicketStore } from '../ticket/ticket-store.ts'
import { type ClaimRoom, claimRoom, TicketChooser } from './choose-tickets.ts'
import {
  checkedOvertakeMs,
  type ResolvedDeskOptions,
  resolveDeskOptions,
  type TicketDeskOptions,
} from './desk-options.ts'
import { recoverTickets } from './recover-tickets.ts'
import { type ActiveRun, beginRun, runTicket, stopRun } from './run-ticket.ts'

/** Runs the tickets of a store on a dispatcher. */
export interface TicketDesk extends AsyncDisposable {
  /**
   * Takes over what an earlier process left, and begins to claim. Resolves when both have begun. Rejects with
   * `StoreUnavailable` where another process has the name of this worker.
   */
  start(): Promise<void>
  /** Tickets that run here. */
  readonly running: number
  /** Outcomes that wait to be written: held here, whatever the store does, until it takes them. */
  readonly unrecorded: number
  /** Why the store refused one of them; undefined: it refuses none. */
  readonly refused: StoreUnavailable | undefined
  /** The text so far of a ticket that runs here; empty while its run is not streamed. */
  textOf(id: string): { readonly run: number; readonly text: string } | undefined
  /** Calls back whenever this ticket has changed. Gives back what ends it. */
  watch(id: string, listener: () => void): () => void
  /**
   * The same, and whenever its text has grown. A run that begins meanwhile is streamed; one that has begun already goes
   * on as it is.
   */
  watchText(id: string, listener: () => void): () => void
  /** Another `overtakeMs` from here on; left out, it is the default. Throws a `TypeError` for a bad value. */
  change(options: Pick<TicketDeskOptions, 'overtakeMs'>): void
  /**
   * Claims no more. What runs has `drainMs` (default 0) to end, then it is stopped and goes back to the queue. May be
   * called twice.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** Recovery runs beside the first claims when a backend takes longer than this to stop. */
const RECOVERY_HEAD_START_MS = 1_000
/** How often a free slot is looked for while a ticket is due; no disk is read for it. */
const SLOT_POLL_MS = 25
const IDLE_POLL_MS = 1_000

/**
 * Runs tickets: claims no more than the dispatcher has free slots, records each outcome once, repeats over hours what
 * may pass, and gives up into the dead letters (`failed` tickets). Runs at least once; a second run happens only after
 * a crash or a lost lease. Throws a `TypeError` for a bad option.
 */
export function createTicketDesk(options: TicketDeskOptions): TicketDesk {
  return new LocalTicketDesk(resolveDeskOptions(options))
}

/** The readers that follow the text of tickets, by ticket. */
class TextReaders {
  readonly #readers = new Map<string, Set<() => void>>()

  has(id: string): boolean {
    return this.#readers.has(id)
  }

  tell(id: string): void {
    for (const listener of this.#readers.get(id) ?? []) listener()
  }

  /** Gives back what ends it. */
  add(id: string, listener: () => void): () => void {
    // A listener of its own for each reader: the same function may come twice.
    const own = () => listener()
    const readers = this.#readers.get(id) ?? new Set()
    this.#readers.set(id, readers.add(own))
    return () => {
      readers.delete(own)
      if (readers.size === 0 && this.#readers.get(id) === readers) this.#readers.delete(id)
    }
  }
}

class LocalTicketDesk implements TicketDesk {
  readonly #options: ResolvedDeskOptions
  readonly #loop: ClaimLoop
  readonly #runs = new Map<string, ActiveRun>()
  /** Runs that have ended and whose outcome is not written yet: their leases are ours all the same. */
  readonly #unrecorded = new Set<ActiveRun>()
  readonly #changes = createHub()
  readonly #texts = new TextReaders()
  readonly #chooser: TicketChooser
  readonly #closing = new AbortController()
  /** Aborted when it is no longer worth waiting for a store that fails. */
  readonly #givingUp = new AbortController()
  readonly #unsubscribe: () => void
  #probedAt = Number.NEGATIVE_INFINITY
  /** Tickets of other servers are not taken over before, on the monotonic clock. */
  #adoptFrom = Number.NEGATIVE_INFINITY
  #heartbeat: Timer | undefined
  #recovering: Promise<void> | undefined
  #ended: Promise<void> | undefined

  constructor(options: ResolvedDeskOptions) {
    this.#options = options
    this.#chooser = new TicketChooser(options)
    this.#loop = new ClaimLoop({
      clock: options.clock,
      claim: () => this.#claim(),
      pauseMs: () => this.#pauseMs(),
      failed: (error) => options.logger.error('The ticket store failed; tickets wait.', { error }),
      retryMs: IDLE_POLL_MS,
    })
    this.#unsubscribe = options.store.subscribe((id, kind) => this.#changed(id, kind))
  }

  async start(): Promise<void> {
    const { clock, logger, leaseMs, store, owner } = this.#options
    const { signal } = this.#closing
    await store.holdName(owner.worker)
    const recovering = this.#takeOver().catch((error: unknown) => {
      logger.error('Tickets of an earlier process could not be taken over yet.', { error })
    })
    // The pause rejects when the desk closes, which is looked at next.
    await Promise.race([recovering, sleep(clock, RECOVERY_HEAD_START_MS, signal).catch(() => {})])
    if (signal.aborted) return
    this.#heartbeat = clock.setTimer(() => void this.#beat(), leaseMs / 3)
    await this.#loop.open()
  }

  change(options: Pick<TicketDeskOptions, 'overtakeMs'>): void {
    this.#chooser.change(checkedOvertakeMs(options))
  }

  get running(): number {
    return this.#runs.size
  }

  get unrecorded(): number {
    return this.#unrecorded.size
  }

  get refused(): StoreUnavailable | undefined {
    return [...this.#unrecorded].find(({ refused }) => refused)?.refused
  }

  textOf(id: string) {
    const run = this.#runs.get(id)
    return run && { run: run.ticket.runs, text: run.text }
  }

  watch(id: string, listener: () => void): () => void {
    return this.#changes.subscribe((changed) => changed === id && listener())
  }

  watchText(id: string, listener: () => void): () => void {
    const stops = [this.watch(id, listener), this.#texts.add(id, listener)]
    return () => {
      for (const stop of stops) stop()
    }
  }

  close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#ended ??= this.#shutDown(drainMs)
    return this.#ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #claim(): Promise<void> {
    const { store, dispatcher, owner, leaseMs, clock } = this.#options
    const { limit, busyBackends } = this.#room()
    // A backlog and no slot: the disk is not read.
    if (limit <= 0) return
    const choose = this.#chooser.chooserFor(dispatcher.freeSlots(), limit)
    const tickets = await store.claim({ owner, leaseMs, limit, busyBackends, ...(choose && { choose }) })
    for (const ticket of tickets) this.#run(beginRun(ticket, clock.now()))
  }

  #room(): ClaimRoom {
    const { dispatcher, clock } = this.#options
    const runs = [...this.#runs.values()]
    return claimRoom(dispatcher.freeSlots(), { runs, unrecorded: this.#unrecorded.size, now: clock.now() })
  }

  async #pauseMs(): Promise<number> {
    if (this.#room().limit <= 0) {
      this.#askBackends()
      return SLOT_POLL_MS
    }
    const { store } = this.#options
    await store.expire()
    const dueInMs = await store.nextDueInMs()
    if (dueInMs === undefined) return IDLE_POLL_MS
    return dueInMs > 0 ? Math.min(dueInMs, IDLE_POLL_MS) : SLOT_POLL_MS
  }

  /** No other request may be asking, and a backend that is back must be noticed. */
  #askBackends(): void {
    const { store, dispatcher, clock, logger } = this.#options
    if (clock.now() - this.#probedAt < IDLE_POLL_MS) return
    this.#probedAt = clock.now()
    void Promise.all([store.expire(), dispatcher.health()]).catch((error: unknown) => {
      logger.warn('Waiting tickets could not be looked through; the next look is in a while.', { error })
    })
  }

  #run(run: ActiveRun): void {
    const { id } = run.ticket
    this.#runs.set(id, run)
    this.#loop.run(
      runTicket(run, this.#options, {
        isRead: () => this.#texts.has(id),
        onText: () => this.#texts.tell(id),
        onSlot: () => void this.#loop.ask(),
        onAnswered: (outcome) => {
          this.#chooser.learn(outcome)
          this.#runs.delete(id)
          this.#unrecorded.add(run)
          void this.#loop.ask()
        },
        giveUp: this.#givingUp.signal,
      }).finally(() => this.#unrecorded.delete(run)),
    )
  }

  /** All that is not to be given to anybody else. */
  #held(): readonly ActiveRun[] {
    return [...this.#runs.values(), ...this.#unrecorded]
  }

  /** Extends leases, and sees cancellations that came by another process. */
  async #beat(): Promise<void> {
    const { store, clock, logger, leaseMs } = this.#options
    const runs = this.#held()
    const fences = runs.map(({ fence }) => fence)
    try {
      const problem = await store.problem()
      if (problem) throw problem
      const standings = fences.length === 0 ? [] : await store.heartbeat(fences, leaseMs)
      runs.forEach((run, index) => {
        if (standings[index] === 'cancelling') stopRun(run, 'cancelled')
        else if (standings[index] === 'lost') stopRun(run, 'lost')
      })
      this.#recover()
    } catch (error) {
      this.#waitForOthers()
      logger.error('The ticket store failed; leases were not extended.', { error })
    }
    if (!this.#givingUp.signal.aborted) this.#heartbeat = clock.setTimer(() => void this.#beat(), leaseMs / 3)
  }

  /** Beside the heartbeat: a generation that takes long to stop must not cost what runs here its leases. */
  #recover(): void {
    if (!this.#loop.isOpen || this.#options.clock.now() < this.#adoptFrom) return
    this.#recovering ??= this.#takeOver()
      .then((recovered) => {
        if (recovered > 0) void this.#loop.ask()
      })
      .catch((error: unknown) => {
        this.#waitForOthers()
        this.#options.logger.error('The ticket store failed; tickets of dead processes wait.', { error })
      })
      .finally(() => {
        this.#recovering = undefined
      })
  }

  #takeOver(): Promise<number> {
    const { signal } = this.#closing
    return recoverTickets(this.#options, { signal, held: () => this.#held().map(({ ticket }) => ticket.id) })
  }

  /** While the store failed, nobody could extend a lease: other servers get the time to do so before they count as dead. */
  #waitForOthers(): void {
    this.#adoptFrom = this.#options.clock.now() + this.#options.leaseMs
  }

  #changed(id: string, kind: Ticket['kind']): void {
    this.#changes.tell([id], kind)
    // There is nothing to run, and a claim waits for the disk: a busy server records a hundred events at a time.
    if (kind === 'event') return
    const run = this.#runs.get(id)
    if (run) void this.#lookForCancel(run)
    else void this.#loop.ask()
  }

  async #lookForCancel(run: ActiveRun): Promise<void> {
    // The heartbeat looks again, and says so when the store fails.
    const now = await this.#options.store.peek(run.ticket.id).catch(() => undefined)
    if (now?.isCancelling && now.token === run.fence.token) stopRun(run, 'cancelled')
  }

  async #shutDown(drainMs: number): Promise<void> {
    const drained = this.#loop.close(drainMs)
    this.#closing.abort(new Error('The desk is closing.'))
    await drained
    for (const run of this.#runs.values()) stopRun(run, 'closing')
    // One last try for what could not be recorded.
    this.#givingUp.abort(new Error('The desk is closing.'))
    await Promise.all([this.#loop.ended(), this.#recovering])
    this.#heartbeat?.cancel()
    this.#unsubscribe()
  }
}

/**
 * What keeps the store from working; undefined: nothing. A store whose disk has room for small writes only is full, too: as
 * long as outcomes wait that it refused, it does not work.
 */
export async function storeProblem({
  store,
  desk,
}: {
  readonly store: Pick<TicketStore, 'problem'>
  readonly desk?: Pick<TicketDesk, 'refused'> | undefined
}): Promise<StoreUnavailable | undefined> {
  return (await store.problem()) ?? desk?.refused
}
