import type { Outcome } from '@ai-ticket/core'
import type { CallbackStore } from './callback-store.ts'
import type { DeliveryStatus } from './delivery.ts'
import type { HistoryEntry, NewTicket } from './new-ticket.ts'
import type { StoreUnavailable } from './store-unavailable.ts'
import type { Fence, Progress, Release, Ticket, TicketOwner, TicketStatus } from './ticket.ts'
import type { TicketRowPage } from './ticket-row.ts'

/**
 * The store of tickets. Every method that changes something resolves only when the change is durable, by the measure
 * that the store states in `durability`; where it cannot be made durable, it rejects with `StoreUnavailable` and nothing
 * has changed. All times are milliseconds since 1970.
 */
export interface TicketStore extends AsyncDisposable {
  /** Its place and what it survives, one sentence for the first lines of a log. */
  readonly durability: string
  /** The callbacks that announce the ends of tickets. */
  readonly callbacks: CallbackStore
  /**
   * Holds the name of a worker for this process, as long as the store is open: two processes of one name would take each other
   * for their own dead self. Waits a while for another one that is ending. Rejects with `StoreUnavailable`, problem `locked`,
   * where it keeps the name; `claim` and `adopt` do so, too, while the name is not held (any more).
   */
  holdName(worker: string): Promise<void>
  /** Takes a ticket in, once for each key. Concurrent calls share one commit where the store can do that. */
  accept(ticket: NewTicket): Promise<Accepted>
  /** Adds events that were answered already, for the history. */
  record(entries: readonly HistoryEntry[]): Promise<void>
  /**
   * Gives waiting tickets that are due to a worker. Senders take turns: each stands in line with its first ticket, by
   * rank, and its wait counts from its last turn.
   */
  claim(request: ClaimRequest): Promise<readonly Ticket[]>
  /** Takes over the tickets of dead processes; their leases are the caller's from here on. */
  adopt(request: AdoptRequest): Promise<readonly Ticket[]>
  /** Says of each claim whether it still stands, and makes it last `leaseMs` from now. */
  heartbeat(fences: readonly Fence[], leaseMs: number): Promise<readonly ClaimStanding[]>
  /** False: the claim is lost; stop the run, its ticket belongs to another. */
  saveProgress(fence: Fence, progress: Progress): Promise<boolean>
  /** Records the outcome, exactly once. False: the claim is lost, nothing was recorded. */
  settle(fence: Fence, outcome: Outcome): Promise<boolean>
  /** Gives a ticket back to the queue. False: the claim is lost. */
  release(fence: Fence, release: Release): Promise<boolean>
  /** Ends a waiting ticket; asks the worker of a running one to stop. The ticket as it is then; undefined: unknown. */
  cancel(id: string): Promise<Ticket | undefined>
  /** Ends waiting tickets whose `expiresAt` has passed; says how many. */
  expire(): Promise<number>
  /** With event and outcome. Undefined: unknown, or removed. */
  get(id: string): Promise<Ticket | undefined>
  /** The same without event and outcome, which may be large: for who looks often. */
  peek(id: string): Promise<TicketGlance | undefined>
  /** Newest first. */
  list(query: TicketQuery): Promise<TicketPage>
  /** The same tickets as rows, without their events and outcomes: a page of them costs the same however large these are. */
  listRows(query: TicketQuery): Promise<TicketRowPage>
  /** How many tickets there are; read from counters, so it may be asked often. */
  stats(): Promise<TicketStats>
  /**
   * Milliseconds until the next waiting ticket is due, by the clock of the store, which may not be yours; undefined: none
   * waits. 0 or less: one has been due for so long.
   */
  nextDueInMs(): Promise<number | undefined>
  /** Removes finished tickets; says how many. Those that wait or run are never removed. */
  prune(request: PruneRequest): Promise<number>
  /** Keeps what was counted, a text for each minute. One of the same worker and time is replaced. */
  saveMinutes(minutes: readonly CountedMinute[]): Promise<void>
  /** Those of one worker, the oldest first; may be fewer than there are: go on behind the last one. */
  listMinutes(query: MinuteQuery): Promise<readonly CountedMinute[]>
  /** Removes one ticket. False: there is none, or it has not ended. */
  remove(id: string): Promise<boolean>
  /**
   * What keeps the store from taking writes at this moment; undefined: nothing. Where the last write failed, a small one is
   * tried, so that the answer is true also when nobody else writes.
   */
  problem(): Promise<StoreUnavailable | undefined>
  /**
   * Calls back with the id of every ticket that changed, also one changed by another process where the store can tell.
   * `kind`: an `event` was only recorded, and there is nothing to run.
   */
  subscribe(listener: (id: string, kind: Ticket['kind']) => unknown): () => void
  /** Closes files and connections. May be called twice. What was accepted stays. */
  close(): Promise<void>
}

/** What became of a ticket that was handed in. */
export type Accepted =
  | { readonly type: 'created'; readonly ticket: Ticket }
  /** The key and the request are known: this is their ticket. */
  | { readonly type: 'existing'; readonly ticket: Ticket }
  /** The key was used for another request. */
  | { readonly type: 'conflict' }
  /** Refused. `store`: as many tickets wait as may. `sender`: few places are left, and they are for those who have fewer. */
  | {
      readonly type: 'full'
      readonly queued: number
      readonly capacity: number
      readonly limit: 'store' | 'sender'
    }

/** Who takes tickets, and for how long. */
export interface LeaseRequest {
  /** Holds the name of its worker. */
  readonly owner: TicketOwner
  /** Milliseconds until the claim lapses without a heartbeat. */
  readonly leaseMs: number
}

/** Which tickets of dead processes a worker takes over. */
export interface AdoptRequest extends LeaseRequest {
  /** At most so many. */
  readonly limit: number
  /** Ids of tickets that the caller still holds, whatever their leases say: they are no orphans. Default: none. */
  readonly held?: readonly string[]
}

/** The same for a store, with nothing left open. */
export type OrphanSearch = Required<AdoptRequest> & { readonly now: number }

/** Which waiting tickets a worker takes. */
export interface ClaimRequest extends LeaseRequest {
  /** At most so many. */
  readonly limit: number
  /** Tickets that ask for one of these backends by name are left waiting. Default: none. */
  readonly busyBackends?: readonly string[]
  /**
   * Chooses among the tickets that are next, in the order of their turns, up to 64 of them; gives back those to
   * claim, not more than `limit`. Default: the first ones. May be called again where another server was quicker.
   */
  readonly choose?: (line: readonly WaitingTicket[]) => readonly WaitingTicket[]
}

/** A waiting ticket that is due, without its texts. */
export interface WaitingTicket {
  /** Tells tickets of one store apart. */
  readonly seq: number
  /** Who takes turns with the others. */
  readonly sender: string
  /** See `rankOf`. */
  readonly rank: number
  readonly priority: number
  /** How its prompt begins, as a hash; absent where nothing is known of it. */
  readonly prefix?: string
}

/** `cancelling`: stop the run and settle. `lost`: stop the run and record nothing. */
export type ClaimStanding = 'held' | 'cancelling' | 'lost'

/** Which tickets are listed: those that match every field that is set. Default: all. */
export interface TicketQuery {
  /** Any of these. */
  readonly statuses?: readonly TicketStatus[]
  /** `event`: only what was answered without a ticket. */
  readonly kind?: Ticket['kind']
  /** Of the answer; of one that has none yet, the backend that its event asks for. */
  readonly backend?: string
  /** Of the answer; of one that has none yet, the model that its event asks for. */
  readonly model?: string
  /** The failure code of the outcome. */
  readonly error?: string
  /** The whole id. */
  readonly eventId?: string
  /** The name of the API key. */
  readonly caller?: string
  /** The whole key, of any scope. */
  readonly idempotencyKey?: string
  /** First moment that counts. */
  readonly createdFrom?: number
  /** The first moment after the range. */
  readonly createdBefore?: number
  /** In the event or the answer, any case. Stores may look only through the newest tickets that match the rest. */
  readonly text?: string
  /** Text values of the event's `metadata`. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Only what was replayed from this ticket. */
  readonly replayOf?: string
  /** Of its callback, one of these; `waiting`: the ticket has not ended. */
  readonly callback?: DeliveryStatus | 'waiting' | readonly (DeliveryStatus | 'waiting')[]
  /** Only tickets for which a backend worked in vain. */
  readonly isWasted?: true
  /** Only what came in by this API. */
  readonly door?: string
  /** Only these, by id. */
  readonly ids?: readonly string[]
  /** 1 to 200. Default 50. */
  readonly limit?: number
  /** Of the page before. Tickets accepted since do not shift the pages. */
  readonly cursor?: string
}

/** What changes about a ticket while it waits and runs. */
export interface TicketGlance {
  /** As in `TicketState`. */
  readonly status: TicketStatus
  /** Grows with every change of owner. */
  readonly token: number
  /** How often it was given to a worker. */
  readonly runs: number
  /** Text so far of the current run, or of the last one that broke off. */
  readonly partial?: string
  /** Of the call that runs. */
  readonly callKey?: string
  /** It runs, and its worker was asked to stop. */
  readonly isCancelling: boolean
}

/** A page of a list. */
export interface TicketPage {
  /** Newest first; may be fewer than asked for, though more follow. */
  readonly tickets: readonly Ticket[]
  /** Absent: this is the last page. */
  readonly nextCursor?: string
}

/** Counts over the whole store. */
export interface TicketStats {
  /** How many tickets have each status. */
  readonly byStatus: Readonly<Record<TicketStatus, number>>
  /** When the ticket was accepted that has waited longest. */
  readonly oldestQueuedAt?: number
}

/** What is removed. Nothing is set: nothing is removed. */
export interface PruneRequest {
  /** Removes what finished before. */
  readonly finishedBefore?: number
  /**
   * The same for dead letters: tickets that failed for good and wait to be looked at. Default: as
   * `finishedBefore`; 0: none of them.
   */
  readonly deadLettersBefore?: number
  /** How many finished tickets to keep, the newest. Dead letters are neither counted nor removed by it. */
  readonly keep?: number
  /** Removes counted minutes that began before. They are not in the number that is given back. Default: none. */
  readonly minutesBefore?: number
  /** Only says how many tickets there are. Default false. */
  readonly dryRun?: boolean
}

/** What a server counted in a minute, or in the part of it that it was there. */
export interface CountedMinute {
  /** Who counted. */
  readonly worker: string
  /** When it began. */
  readonly at: number
  /** The counts, in whatever form the one who counts gives them; a store only keeps them. */
  readonly counts: string
}

/** Which minutes are read. */
export interface MinuteQuery {
  /** Who counted. */
  readonly worker: string
  /** First moment that counts. */
  readonly from: number
  /** The first moment after the range. */
  readonly before: number
}

/** Minutes in one answer: six hours, so that nobody waits long behind one. */
export const MINUTES_AT_ONCE = 360

/** A wait of this length is worth one step of priority. */
export const AGEING_MS = 30_000

/**
 * The order of one sender's tickets: the lowest rank is first. Priority, plus one step for each 30 s of waiting; because all age alike, the order
 * of two tickets never changes, so that an index can hold it.
 */
export const rankOf = (dueAt: number, priority: number): number => dueAt - priority * AGEING_MS

/** Tells listeners which tickets have changed. */
export interface Hub {
  /** `kind`: of all of them; default `ticket`. */
  tell(ids: readonly string[], kind?: Ticket['kind']): void
  /** Gives back what ends it. */
  subscribe(listener: (id: string, kind: Ticket['kind']) => unknown): () => void
}

export function createHub(): Hub {
  const listeners = new Set<(id: string, kind: Ticket['kind']) => void>()
  return {
    tell(ids, kind = 'ticket') {
      for (const id of ids) for (const listener of listeners) listener(id, kind)
    },
    subscribe(listener) {
      // A listener of its own for each subscription: the same function may come twice.
      const own = (id: string, kind: Ticket['kind']) => void listener(id, kind)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  }
}
