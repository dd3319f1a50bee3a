import type { Clock, Failure, FailureCode, LogFields, Logger } from '@ai-ticket/core'
import { RequestProblem, type Scope } from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CallbackPolicy } from '../callbacks/callback-policy.ts'
import type { TicketDesk } from '../desk/ticket-desk.ts'
import { StoreUnavailable } from '../ticket/store-unavailable.ts'
import type { Ticket } from '../ticket/ticket.ts'
import type { TicketGlance, TicketStore } from '../ticket/ticket-store.ts'

/** The parts that all routes share. */
export interface TicketContext {
  /** What it says of one ticket is asked for once, however many ask at the same time. */
  readonly store: TicketStore
  readonly desk: TicketDesk | undefined
  readonly logger: Logger
  readonly clock: Clock
  readonly callerOf: (request: FastifyRequest) => string
  /** Gives an event its priority; the ticket has the same. */
  readonly prioritise: <Given>(event: Given, request: FastifyRequest) => Given
  readonly access: TicketAccess
  /** Undefined: no callbacks are sent. */
  readonly callbacks: Pick<CallbackPolicy, 'check'> | undefined
  readonly idempotencyTtlMs: number
  readonly pingIntervalMs: number
  /** Aborted when the server closes: requests that wait are answered now. */
  readonly closing: AbortSignal
  /** Of the addresses of tickets; empty without one. */
  readonly prefix: string
}

/** A store for many readers: 2,000 who watch one large ticket cost one read a change and one copy, not 2,000. */
export function sharedReads(store: TicketStore): TicketStore {
  /** Those that somebody holds: a reader who comes gets the same one while it has not changed. */
  const held = new Map<string, WeakRef<Ticket>>()
  const forgotten = new FinalizationRegistry<string>((id) => {
    if (held.get(id)?.deref() === undefined) held.delete(id)
  })
  const peek = shareReads((id) => store.peek(id))
  const get = shareReads(async (id) => {
    const known = held.get(id)?.deref()
    if (known !== undefined) {
      const now = await store.peek(id)
      if (now !== undefined && isAsKnown(known, now)) return known
    }
    const ticket = await store.get(id)
    if (ticket === undefined) return undefined
    held.set(id, new WeakRef(ticket))
    forgotten.register(ticket, id)
    return ticket
  })
  return { ...store, get, peek }
}

/** What else of a ticket changes, changes with one of these. */
const isAsKnown = ({ state, token, runs, partial }: Ticket, now: TicketGlance): boolean =>
  state.status === now.status &&
  token === now.token &&
  runs === now.runs &&
  partial === now.partial &&
  (state.status === 'in_progress' ? state.call?.key : undefined) === now.callKey &&
  (state.status === 'in_progress' && state.cancelRequestedAt !== undefined) === now.isCancelling

/** Who asks while a read is on its way gets the one after it: it may have begun before what they want to see. */
function shareReads<Value>(read: (id: string) => Promise<Value>): (id: string) => Promise<Value> {
  const next = new Map<string, Promise<Value>>()
  const running = new Map<string, Promise<unknown>>()
  return (id) => {
    const known = next.get(id)
    if (known) return known
    const started = Promise.all([running.get(id), new Promise((resolve) => setImmediate(resolve))])
    const reading = started.then(() => {
      next.delete(id)
      const value = read(id)
      const ended = value.then(forget, forget)
      function forget() {
        if (running.get(id) === ended) running.delete(id)
      }
      running.set(id, ended)
      return value
    })
    next.set(id, reading)
    return reading
  }
}

/** Calls back whenever the ticket has changed. */
export function watchTicket(
  { desk, store }: Pick<TicketContext, 'desk' | 'store'>,
  id: string,
  listener: () => void,
): () => void {
  return desk ? desk.watch(id, listener) : store.subscribe((changed) => changed === id && listener())
}

/** The same, and whenever its text has grown: a run that begins meanwhile in this process is streamed. */
export function watchText({ desk, store }: TicketContext, id: string, listener: () => void): () => void {
  return desk ? desk.watchText(id, listener) : watchTicket({ desk, store }, id, listener)
}

/** The text so far: of this process where the ticket runs here (`live`), else the stored one. */
export const textOf = (
  live: ReturnType<TicketDesk['textOf']>,
  { runs, partial = '' }: { readonly runs: number; readonly partial?: string },
): string => (live?.run === runs ? live.text : partial)

/** Aborts when the caller has hung up or the server closes. */
export function waitSignal({ closing }: TicketContext, reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const leave = () => gone.abort(new Error('The caller hung up.'))
  // The store may have been waited for meanwhile.
  if (reply.raw.destroyed) leave()
  else reply.raw.once('close', leave)
  return AbortSignal.any([closing, gone.signal])
}

/** Access to tickets: a key sees and cancels its own, `read` sees all, `admin` does all. */
export interface TicketAccess {
  /** Throws a `RequestProblem`: a ticket that is not for this caller is one that is not there. */
  checkSeen(request: FastifyRequest, ticket: Ticket): void
  /** For a ticket that the caller may see. Throws a `RequestProblem`. */
  checkCancel(request: FastifyRequest, ticket: Ticket): void
}

export function createTicketAccess(
  instance: FastifyInstance,
  callerOf: (request: FastifyRequest) => string,
): TicketAccess {
  const may = (request: FastifyRequest, ticket: Ticket, scope: Scope) =>
    // On a server that `createServer` did not make, who may ask is that server's business.
    !instance.hasDecorator('hasScope') ||
    instance.hasScope(request, scope) ||
    ticket.caller === callerOf(request)
  return {
    checkSeen(request, ticket) {
      if (!may(request, ticket, 'read')) throw unknownTicket()
    },
    checkCancel(request, ticket) {
      if (!may(request, ticket, 'admin')) throw FOREIGN
    },
  }
}

/** For the error handler of the server, which answers `{ error, details }` with the status of the code. */
export const problem = (code: FailureCode, details: string, more: Partial<Failure> = {}): RequestProblem =>
  new RequestProblem({ ...more, code, details })

const FOREIGN = problem(
  'forbidden',
  "This ticket is another key's. Cancelling it needs an API key with the scope `admin`.",
)

export const unknownTicket = (): RequestProblem =>
  problem('not_found', 'There is no such ticket. It may have been removed because of its age.')

/** What a store that is away becomes for a caller; every other error stays as it is. */
export function explainStore(error: unknown): unknown {
  if (!(error instanceof StoreUnavailable)) return error
  return problem(
    'store_unavailable',
    'The ticket store is away. Accepted tickets are there when it is back; try again.',
  )
}

/**
 * What is told of one of many that fails: the others have their turn, whatever it is. What the server should not have come
 * to is logged with these fields.
 */
export function failureOfOne(
  { logger }: Pick<TicketContext, 'logger'>,
  error: unknown,
  fields: LogFields,
): Failure {
  const explained = explainStore(error)
  if (explained instanceof RequestProblem) return explained.failure
  logger.error('one of many failed', { ...fields, error })
  return { code: 'internal_error', details: 'The server failed; this is a bug. Its log says more.' }
}

/** The description of a route is loaded when it is asked for. */
export const describedAs = (
  name: Exclude<keyof typeof import('../openapi/ticket-operations.ts'), 'eventWithTickets'>,
  scopes: readonly Scope[],
) => ({
  scopes,
  openapi: async () => (await import('../openapi/ticket-operations.ts'))[name],
})
