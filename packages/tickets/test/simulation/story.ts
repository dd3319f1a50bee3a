import type { Outcome } from '@ai-ticket/core'
import type { Ticket, TicketStatus } from '../../src/index.ts'
import type { SimulatedProcess } from './process.ts'

/** What the judge sees of a ticket in the store. */
export interface SeenTicket {
  readonly id: string
  readonly eventId: string
  readonly status: TicketStatus
  readonly token: number
  readonly crashes: number
  readonly retries: number
  readonly createdAt: number
  /** Of who runs it. */
  readonly session?: string
  readonly leaseUntil?: number
  readonly finishedAt?: number
  /** As JSON. */
  readonly outcome?: string
  readonly callbackUrl?: string
  readonly notBefore?: number
  /** Nobody asked for `notBefore`. */
  readonly isPaused?: boolean
}

/** A change that is durable. Without `before` the ticket is new, without `after` it was removed. */
export interface Commit {
  /** On a clock that nobody sets. */
  readonly at: number
  readonly by: SimulatedProcess
  readonly before?: SeenTicket
  readonly after?: SeenTicket
}

/** An accept, by what its caller heard. */
export interface HeardAccept {
  readonly eventId: string
  readonly key?: string
  /** `refused`: it was said that nothing was accepted. `unknown`: that this is not known. `silence`: the server died. */
  answer: 'created' | 'existing' | 'full' | 'refused' | 'unknown' | 'silence'
  ticketId?: string
}

/** An outcome that a desk was given. */
export interface HadOutcome {
  readonly at: number
  readonly by: SimulatedProcess
  readonly ticketId: string
  readonly token: number
  readonly outcome: Outcome
}

export interface Post {
  readonly at: number
  readonly by: SimulatedProcess
  readonly ticketId: string
  readonly webhookId: string
  readonly body: string
  /** Undefined: no answer. */
  status?: number
}

/** A callback whose attempt was written down. */
export interface RecordedPost {
  readonly at: number
  readonly ticketId: string
  readonly status: 'delivered' | 'dead' | 'pending'
  readonly isHeld: boolean
}

/** All that happened, in order. */
export interface Story {
  readonly commits: Commit[]
  readonly accepts: HeardAccept[]
  readonly outcomes: HadOutcome[]
  readonly posts: Post[]
  readonly recordedPosts: RecordedPost[]
  readonly processes: SimulatedProcess[]
  /** Claims that a process heard of, and when: `ticket token`. */
  readonly heardClaims: Map<string, { readonly by: SimulatedProcess; readonly at: number }>
  /** Asked to be sent again by hand. */
  readonly resent: Set<string>
  readonly cancelled: Set<string>
  /** When somebody set the clock by which leases go. */
  readonly clockSetAt: number[]
  /** Errors that should not be. */
  readonly surprises: string[]
}

export const newStory = (): Story => ({
  commits: [],
  accepts: [],
  outcomes: [],
  posts: [],
  recordedPosts: [],
  processes: [],
  heardClaims: new Map(),
  resent: new Set(),
  cancelled: new Set(),
  clockSetAt: [],
  surprises: [],
})

export function seenOf(ticket: Ticket): SeenTicket {
  const { id, eventId, token, crashes, retries, createdAt, state, callbackUrl } = ticket
  return {
    ...{ id, eventId, token, crashes, retries, createdAt, status: state.status },
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
    ...(state.status === 'in_progress' ? { session: state.owner.session, leaseUntil: state.leaseUntil } : {}),
    ...(state.status === 'queued'
      ? { notBefore: state.notBefore, isPaused: state.pausedAt !== undefined }
      : {}),
    ...('outcome' in state ? { finishedAt: state.finishedAt, outcome: JSON.stringify(state.outcome) } : {}),
  }
}
