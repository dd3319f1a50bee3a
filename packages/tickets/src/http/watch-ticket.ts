import type { Clock, Failure, FailureOutcome } from '@ai-ticket/core'
import { openEventStream, RequestProblem, replyToOutcome } from '@ai-ticket/http-server'
import { wantsEventStream } from '@ai-ticket/http-server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StoreUnavailable } from '../ticket/store-unavailable.ts'
import { hasText, isFinished, type Ticket, type TicketStatus } from '../ticket/ticket.ts'
import type { TicketGlance } from '../ticket/ticket-store.ts'
import {
  type TicketContext,
  textOf,
  unknownTicket,
  waitSignal,
  watchText,
  watchTicket,
} from './ticket-context.ts'

export const wantsStream = ({ headers }: FastifyRequest): boolean => wantsEventStream(headers.accept)

/** Sequence numbers of one run; its text is shorter than that. */
const RUN = 1_000_000_000
const END = RUN - 1

/**
 * A ticket as server-sent events: `status` when it changes, `delta` as the text grows, then `done` or `error` with the
 * outcome. Each has a sequence number, the run and the characters of it that have been sent, so that a reader who comes
 * back with `Last-Event-ID` goes on where it was, also at another server or after a restart. A new run starts its text
 * over, and says so with its `status`. A reader who comes in the middle of a run that is not streamed gets its outcome.
 */
export async function streamTicket(
  context: TicketContext,
  given: Ticket,
  exchange: {
    readonly request: FastifyRequest
    readonly reply: FastifyReply
    readonly lastEventId?: unknown
  },
): Promise<FastifyReply> {
  const { reply } = exchange
  let seen = readSequence(exchange.lastEventId)
  // Tells a browser not to reconnect: it has the whole stream.
  if (isFinished(given) && seen % RUN === END) return reply.code(204).send()
  const signal = waitSignal(context, reply)
  const stream = openEventStream(reply, context)
  try {
    for await (const news of followTicket(context, given, signal)) {
      const run = news.run * RUN
      if (seen < run) seen = run
      if (news.type === 'status')
        void stream.write(frame(seen, 'status', { status: news.status, run: news.run }))
      else if (news.type === 'ended') stream.end(lastFrame(run + END, news.ticket))
      else {
        const text = news.text.slice(seen - run)
        seen += text.length
        if (text !== '') await stream.write(frame(seen, 'delta', { text }))
      }
    }
  } catch (error) {
    context.logger.error('ticket stream failed', { ticket_id: given.id, error })
    stream.end(frame(seen, 'error', brokenStream(given, error)))
  } finally {
    stream.release()
    stream.end()
  }
  return reply
}

/** What happens to a ticket. `text`: all that this run has said so far. */
export type TicketNews = { readonly run: number } & (
  | { readonly type: 'status'; readonly status: TicketStatus }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'ended'; readonly ticket: Ticket }
)

/**
 * How a ticket is, and then each change, until it has ended or the signal is aborted. A run that begins meanwhile in this
 * process is streamed. The last words of a run come before the news of its end, the first ones behind that of its start.
 */
export async function* followTicket(
  context: TicketContext,
  given: Ticket,
  signal: AbortSignal,
): AsyncGenerator<TicketNews, void> {
  const { store } = context
  const bell = createBell(context.clock)
  const textNow = () => context.desk?.textOf(given.id)
  let live = textNow()
  const stop = watchText(context, given.id, () => {
    // Kept here, for the desk forgets it with the end of the run.
    live = textNow() ?? live
    bell.ring()
  })
  signal.addEventListener('abort', bell.ring, { once: true })
  let told = ''
  let said = { run: 0, length: 0 }
  try {
    for (; !signal.aborted; await bell.rung()) {
      const now = await whileAway(() => store.peek(given.id))
      if (now === AWAY) continue
      if (now === undefined) throw unknownTicket()
      const { status, runs: run } = now
      const isNews = told !== `${status} ${run}`
      told = `${status} ${run}`
      if (isNews && !isOver(now)) yield { type: 'status', status, run }
      const text = hasText(given) ? textOf(live, now) : ''
      if (text.length > (said.run === run ? said.length : 0)) {
        said = { run, length: text.length }
        yield { type: 'text', run, text }
      }
      if (!isOver(now)) continue
      if (isNews) yield { type: 'status', status, run }
      const ended = await whileAway(() => store.get(given.id))
      if (ended && ended !== AWAY && isFinished(ended)) return yield { type: 'ended', run, ticket: ended }
    }
  } finally {
    stop()
    signal.removeEventListener('abort', bell.ring)
  }
}

const isOver = ({ status }: TicketGlance): boolean => status !== 'queued' && status !== 'in_progress'

const AWAY = Symbol('The store is away.')

/** A store that is away comes back, and who waits for a ticket goes on waiting; only a bug ends that. */
async function whileAway<Value>(read: () => Promise<Value>): Promise<Value | typeof AWAY> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof StoreUnavailable) return AWAY
    throw error
  }
}

/** The last event of a stream that cannot go on: it must not look like one that was cut by the network. */
function brokenStream({ eventId }: Ticket, error: unknown): FailureOutcome & { readonly status: number } {
  const { code, details } = error instanceof RequestProblem ? error.failure : BUG
  const outcome = { error: code, details, id: eventId, duration_ms: 0, attempts: [] }
  return { ...outcome, status: replyToOutcome(outcome).status }
}

const BUG: Failure = {
  code: 'internal_error',
  details: 'The stream of this ticket broke because of a bug. Ask for the ticket again.',
}

/** A large outcome is put into words once, however many read it. */
const lastFrames = new WeakMap<Ticket, Buffer>()

function lastFrame(sequence: number, ticket: Ticket): Buffer {
  const known = lastFrames.get(ticket)
  if (known) return known
  const made = Buffer.from(outcomeFrame(sequence, ticket))
  lastFrames.set(ticket, made)
  return made
}

function outcomeFrame(sequence: number, { state }: Ticket): string {
  if (!('outcome' in state)) return ''
  const { outcome } = state
  if (outcome.error === undefined) return frame(sequence, 'done', outcome)
  return frame(sequence, 'error', { ...outcome, status: replyToOutcome(outcome).status })
}

const frame = (sequence: number, event: string, data: unknown): string =>
  `id: ${sequence}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`

function readSequence(value: unknown): number {
  const sequence = Number(value)
  return Number.isSafeInteger(sequence) && sequence >= 0 ? sequence : 0
}

/** A change can be announced while nobody can hear it, as when the connection to the store is lost: so one looks by oneself, too. */
const LOOK_AGAIN_MS = 5_000

/** Several rings before the next wait are one ring; it rings by itself after a while. */
function createBell(clock: Clock) {
  let next = Promise.withResolvers<void>()
  return {
    ring: () => next.resolve(),
    async rung() {
      const timer = clock.setTimer(next.resolve, LOOK_AGAIN_MS)
      await next.promise
      timer.cancel()
      next = Promise.withResolvers<void>()
    },
  }
}

/**
 * Resolves with the ticket when it is finished, when the time is up, or when the caller has gone. A store that is away ends
 * nothing: what is known of the ticket is given back when the time is up.
 */
export async function waitForEnd(
  context: TicketContext,
  ticket: Ticket,
  { waitMs, signal }: { readonly waitMs: number | undefined; readonly signal: AbortSignal },
): Promise<Ticket> {
  if (isFinished(ticket)) return ticket
  const { store, clock } = context
  const bell = createBell(clock)
  let isUp = signal.aborted
  const end = () => {
    isUp = true
    bell.ring()
  }
  const stop = watchTicket(context, ticket.id, bell.ring)
  signal.addEventListener('abort', end, { once: true })
  const timer = waitMs === undefined ? undefined : clock.setTimer(end, waitMs)
  try {
    for (;;) {
      const now = await whileAway(() => store.peek(ticket.id))
      if (now === undefined) return ticket
      const hasEnded = now !== AWAY && isOver(now)
      if (hasEnded || isUp) {
        const whole = await whileAway(() => store.get(ticket.id))
        if (whole !== AWAY || isUp) return (whole !== AWAY && whole) || ticket
      }
      await bell.rung()
    }
  } finally {
    stop()
    timer?.cancel()
    signal.removeEventListener('abort', end)
  }
}
