import { sleep, type Timer } from '@ai-ticket/core'
import type { Ticket } from '../ticket/ticket.ts'
import { createHub } from '../ticket/ticket-changes.ts'
import { resolveDeskOptions, type TicketDeskOptions } from './desk-options.ts'
import { recoverTickets } from './recover-tickets.ts'
import { type Hand, runTicket, stop, takeInHand } from './run-ticket.ts'

export interface TicketDesk extends AsyncDisposable {
  /** Takes over what an earlier process left, and begins to claim. Resolves when both have begun. */
  start(): Promise<void>
  /** Tickets in hand. */
  readonly running: number
  /** The text so far of a ticket that runs here; empty while its run is not streamed. */
  textOf(id: string): { readonly run: number; readonly text: string } | undefined
  /** Calls back whenever this ticket has changed. Gives back what ends it. */
  watch(id: string, listener: () => void): () => void
  /**
   * The same, and whenever its text has grown. A run that begins meanwhile is streamed; one that has begun already goes
   * on as it is.
   */
  watchText(id: string, listener: () => void): () => void
  /**
   * Claims no more. What runs has `drainMs` (default 0) to end, then it is stopped and goes back to the queue. May be
   * called twice.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** Recovery runs beside the first claims when a backend takes longer than this to stop. */
const RECOVERY_HEAD_START_MS = 1_000
/** So often a free slot is looked for while a ticket is due; no disk is read for it. */
const SLOT_POLL_MS = 25
const IDLE_POLL_MS = 1_000
/** A ticket that waits so long in the dispatcher's line holds no slot: others are claimed beside it. */
const PARKED_AFTER_MS = 2_000

/**
 * Runs tickets: claims no more than the dispatcher has free slots, records each outcome once, repeats over hours what
 * may pass, and gives up into the dead letters (`failed` tickets). Runs at least once; a second run happens only after
 * a crash or a lost lease. Throws a `TypeError` for a bad option.
 */
export function createTicketDesk(given: TicketDeskOptions): TicketDesk {
  const options = resolveDeskOptions(given)
  const { store, dispatcher, clock, logger, owner, leaseMs } = options
  const hands = new Map<string, Hand>()
  const runs = new Set<Promise<void>>()
  const hub = createHub()
  const texts = createTextReaders()
  const closing = new AbortController()
  /** Aborted when nobody waits any more for a store that fails. */
  const givingUp = new AbortController()
  let isOpen = false
  let claiming: Promise<void> | undefined
  let isAsked = false
  let timer: Timer | undefined
  let heartbeat: Timer | undefined
  let probedAt = Number.NEGATIVE_INFINITY
  let ended: Promise<void> | undefined
  let recovering: Promise<void> | undefined

  /** Claims what there is room for; one claim at a time. */
  function claim(): Promise<void> {
    isAsked = true
    claiming ??= claimAll().finally(() => {
      claiming = undefined
    })
    return claiming
  }

  async function claimAll(): Promise<void> {
    timer?.cancel()
    try {
      while (isAsked && isOpen) {
        isAsked = false
        const { limit, busyBackends } = room()
        // A backlog and no slot: nothing is asked of the disk.
        if (limit <= 0) return arm(SLOT_POLL_MS)
        const tickets = await store.claim({ owner, leaseMs, limit, busyBackends })
        for (const ticket of tickets) run(ticket)
      }
      arm(await pauseMs())
    } catch (error) {
      logger.error('The ticket store failed; tickets wait.', { error })
      arm(IDLE_POLL_MS)
    }
  }

  /** How many tickets would get a slot at once. One for a backend that nobody knows is to fail, not to wait. */
  function room(): { limit: number; busyBackends: readonly string[] } {
    const slots = dispatcher.freeSlots()
    const now = clock.now()
    const free = slots.reduce((sum, { free }) => sum + free, 0)
    const all = slots.reduce((sum, { concurrency }) => sum + concurrency, 0)
    const starting = [...hands.values()].filter(
      ({ hasSlot, since }) => !hasSlot && now - since < PARKED_AFTER_MS,
    ).length
    return {
      limit: Math.min(free - starting, 2 * all - hands.size),
      busyBackends: slots.filter(({ free }) => free <= 0).map(({ backend }) => backend),
    }
  }

  /** When to look again. */
  async function pauseMs(): Promise<number> {
    await store.expire()
    const dueAt = await store.nextDueAt()
    if (dueAt === undefined) return IDLE_POLL_MS
    const dueInMs = dueAt - clock.wallTime()
    if (dueInMs > 0) return Math.min(dueInMs, IDLE_POLL_MS)
    return SLOT_POLL_MS
  }

  function arm(delayMs: number): void {
    timer?.cancel()
    if (!isOpen) return
    timer = clock.setTimer(() => {
      if (delayMs === SLOT_POLL_MS && room().limit <= 0) {
        askBackends()
        arm(SLOT_POLL_MS)
      } else void claim()
    }, delayMs)
  }

  /** Nobody else may be asking; a backend that is back must be seen to be. */
  function askBackends(): void {
    if (clock.now() - probedAt < IDLE_POLL_MS) return
    probedAt = clock.now()
    void Promise.all([store.expire(), dispatcher.health()]).catch((error: unknown) => {
      logger.warn('Waiting tickets could not be looked through; the next look is in a while.', { error })
    })
  }

  function run(ticket: Ticket): void {
    const hand = takeInHand(ticket, clock.now())
    hands.set(ticket.id, hand)
    const running = runTicket(hand, options, {
      isRead: () => texts.has(ticket.id),
      onText: () => texts.tell(ticket.id),
      onSlot: () => void claim(),
      onAnswered() {
        hands.delete(ticket.id)
        void claim()
      },
      giveUp: givingUp.signal,
    }).finally(() => runs.delete(running))
    runs.add(running)
  }

  /** Leases, and cancellations that came by another process. */
  async function beat(): Promise<void> {
    const held = [...hands.values()]
    try {
      if (held.length > 0) {
        const standings = await store.heartbeat(
          held.map(({ fence }) => fence),
          leaseMs,
        )
        held.forEach((hand, index) => {
          if (standings[index] === 'cancelling') stop(hand, 'cancelled')
          else if (standings[index] === 'lost') stop(hand, 'lost')
        })
      }
      recover()
    } catch (error) {
      logger.error('The ticket store failed; leases were not extended.', { error })
    }
    if (!givingUp.signal.aborted) heartbeat = clock.setTimer(() => void beat(), leaseMs / 3)
  }

  /** Beside the heartbeat: a generation that takes long to stop must not cost what runs here its leases. */
  function recover(): void {
    if (!isOpen) return
    recovering ??= recoverTickets(options, closing.signal)
      .then((recovered) => {
        if (recovered > 0) void claim()
      })
      .catch((error: unknown) => {
        logger.error('The ticket store failed; tickets of dead processes wait.', { error })
      })
      .finally(() => {
        recovering = undefined
      })
  }

  async function lookForCancel(hand: Hand): Promise<void> {
    const ticket = await store.get(hand.ticket.id).catch(() => undefined)
    if (ticket?.state.status !== 'in_progress' || ticket.token !== hand.fence.token) return
    if (ticket.state.cancelRequestedAt !== undefined) stop(hand, 'cancelled')
  }

  const unsubscribe = store.subscribe((id) => {
    hub.tell([id])
    const hand = hands.get(id)
    if (hand) void lookForCancel(hand)
    else void claim()
  })

  async function shutDown(drainMs: number): Promise<void> {
    isOpen = false
    timer?.cancel()
    await claiming
    closing.abort(new Error('The desk is closing.'))
    const over = new AbortController()
    const idle = Promise.all(runs).then(() => over.abort())
    await Promise.race([idle, sleep(clock, drainMs, over.signal).catch(() => {})])
    for (const hand of hands.values()) stop(hand, 'closing')
    // One last try for what could not be recorded.
    givingUp.abort(new Error('The desk is closing.'))
    await Promise.all([...runs, recovering])
    heartbeat?.cancel()
    unsubscribe()
  }

  const desk: TicketDesk = {
    async start() {
      const recovering = recoverTickets(options, closing.signal).catch((error: unknown) => {
        logger.error('Tickets of an earlier process could not be taken over yet.', { error })
      })
      await Promise.race([recovering, sleep(clock, RECOVERY_HEAD_START_MS, closing.signal).catch(() => {})])
      if (closing.signal.aborted) return
      isOpen = true
      heartbeat = clock.setTimer(() => void beat(), leaseMs / 3)
      await claim()
    },
    get running() {
      return hands.size
    },
    textOf(id) {
      const hand = hands.get(id)
      return hand && { run: hand.ticket.runs, text: hand.text }
    },
    watch: (id, listener) => hub.subscribe((changed) => changed === id && listener()),
    watchText(id, listener) {
      const stops = [desk.watch(id, listener), texts.add(id, listener)]
      return () => {
        for (const end of stops) end()
      }
    },
    close({ drainMs = 0 } = {}) {
      ended ??= shutDown(drainMs)
      return ended
    },
    [Symbol.asyncDispose]: () => desk.close(),
  }
  return desk
}

/** Who reads which text as it comes. */
function createTextReaders() {
  const readers = new Map<string, Set<() => void>>()
  return {
    has: (id: string) => readers.has(id),
    tell(id: string): void {
      for (const listener of readers.get(id) ?? []) listener()
    },
    add(id: string, listener: () => void): () => void {
      const own = () => listener()
      const all = readers.get(id) ?? new Set()
      readers.set(id, all.add(own))
      return () => {
        all.delete(own)
        if (all.size === 0 && readers.get(id) === all) readers.delete(id)
      }
    },
  }
}
