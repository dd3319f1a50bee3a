import { openEventStream, replyToOutcome } from '@ai-ticket/server'
import { wantsEventStream } from '@ai-ticket/server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasText, isFinished, type Ticket } from '../ticket/ticket.ts'
import { type TicketContext, textOf, waitSignal, watchText, watchTicket } from './ticket-context.ts'

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
  const bell = createBell()
  const stop = watchText(context, given.id, bell.ring)
  signal.addEventListener('abort', bell.ring, { once: true })
  let status = ''
  try {
    while (!signal.aborted) {
      const ticket = (await context.store.get(given.id)) ?? given
      const run = ticket.runs * RUN
      if (seen < run) seen = run
      if (`${ticket.state.status} ${ticket.runs}` !== status) {
        status = `${ticket.state.status} ${ticket.runs}`
        void stream.write(frame(seen, 'status', { status: ticket.state.status, run: ticket.runs }))
      }
      if (isFinished(ticket)) {
        stream.end(lastFrame(run + END, ticket))
        break
      }
      const text = hasText(ticket) ? textOf(context, ticket).slice(seen - run) : ''
      if (text !== '') {
        seen += text.length
        await stream.write(frame(seen, 'delta', { text }))
      }
      await bell.rung()
    }
  } catch (error) {
    context.logger.error('ticket stream failed', { ticket_id: given.id, error })
  } finally {
    stop()
    stream.release()
    stream.end()
  }
  return reply
}

function lastFrame(sequence: number, { state }: Ticket): string {
  if (!('outcome' in state)) return ''
  const { outcome } = state
  if ('completion' in outcome) return frame(sequence, 'done', outcome)
  return frame(sequence, 'error', { ...outcome, status: replyToOutcome(outcome).status })
}

const frame = (sequence: number, event: string, data: unknown): string =>
  `id: ${sequence}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`

function readSequence(value: unknown): number {
  const sequence = Number(value)
  return Number.isSafeInteger(sequence) && sequence >= 0 ? sequence : 0
}

/** Several rings before the next wait are one ring. */
function createBell() {
  let next = Promise.withResolvers<void>()
  return {
    ring: () => next.resolve(),
    async rung() {
      await next.promise
      next = Promise.withResolvers<void>()
    },
  }
}

/** Resolves with the ticket when it is finished, when the time is up, or when the caller has gone. */
export async function waitForEnd(
  context: TicketContext,
  ticket: Ticket,
  { waitMs, signal }: { readonly waitMs: number | undefined; readonly signal: AbortSignal },
): Promise<Ticket> {
  if (isFinished(ticket)) return ticket
  const ended = Promise.withResolvers<void>()
  const look = async () => {
    const now = await context.store.get(ticket.id).catch(() => undefined)
    if (now === undefined || isFinished(now)) ended.resolve()
  }
  const stop = watchTicket(context, ticket.id, () => void look())
  const onAbort = () => ended.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = waitMs === undefined ? undefined : context.clock.setTimer(ended.resolve, waitMs)
  if (signal.aborted) ended.resolve()
  // It may have ended before anybody watched.
  void look()
  await ended.promise
  stop()
  timer?.cancel()
  signal.removeEventListener('abort', onAbort)
  return (await context.store.get(ticket.id)) ?? ticket
}
