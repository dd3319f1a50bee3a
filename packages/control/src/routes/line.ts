import type { Dispatcher, EventInHand } from '@ai-ticket/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { EndedBody, LineBody } from '../bodies/line.ts'
import { type ControlContext, keyNameOf, may, noteAction, problem } from './control-context.ts'
import { describedAs, READ } from './described-as.ts'

/** How long the end of an event is waited for, to see its backend stopped. */
const STOP_WAIT_MS = 5_000

/** `GET /line`, and `DELETE /line/:hand` for any event that runs or waits, of a ticket or not. */
export function addLineRoutes(instance: FastifyInstance, context: ControlContext): void {
  const { dispatcher } = context
  instance.get('/line', { config: describedAs('getLine', READ) }, (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return reply.send(lineBody(dispatcher, context.worker))
  })
  instance.delete<{ readonly Params: { readonly hand: string } }>(
    '/line/:hand',
    { config: describedAs('deleteHand', ['events']) },
    async (request, reply) => {
      const { hand } = request.params
      const found = dispatcher.inHand(hand)
      if (found === undefined || !maySee(instance, request, found)) throw NOT_IN_HAND
      if (!mayEnd(instance, request, found)) throw FOREIGN
      noteAction(context, request, { action: 'cancel', hand, ticket_id: found.reference })
      await endTicket(instance, { request, reply }, found.reference)
      const stopped = await isStoppedIn(context, found.cancel())
      const body: EndedBody = { hand, stopped }
      reply.header('cache-control', 'no-store')
      return reply.code(stopped ? 200 : 202).send(body)
    },
  )
}

export function lineBody(dispatcher: Pick<Dispatcher, 'line'>, worker: string): LineBody {
  const { now, capacity, running, waiting, more } = dispatcher.line()
  return {
    object: 'line',
    worker,
    now,
    capacity,
    running: running.map(ofTicket),
    waiting: waiting.map(ofTicket),
    more,
  }
}

function ofTicket<InHand extends { readonly reference?: string }>({ reference, ...rest }: InHand) {
  return { ...rest, ...(reference === undefined ? {} : { ticket_id: reference }) }
}

/** With keys, the caller of an event is the name of its key. */
const isOwn = (instance: FastifyInstance, request: FastifyRequest, { caller }: EventInHand): boolean =>
  caller === keyNameOf(instance, request)

const maySee = (instance: FastifyInstance, request: FastifyRequest, found: EventInHand): boolean =>
  may(instance, request, 'read') || isOwn(instance, request, found)

const mayEnd = (instance: FastifyInstance, request: FastifyRequest, found: EventInHand): boolean =>
  may(instance, request, 'admin') || isOwn(instance, request, found)

/** A run that only stops would begin again: its ticket is cancelled first. */
async function endTicket(
  instance: FastifyInstance,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  id: string | undefined,
): Promise<void> {
  if (id === undefined || !instance.hasDecorator('tickets')) return
  const ticket = await instance.tickets.find(request, { id })
  await instance.tickets.cancel(request, reply, ticket)
}

async function isStoppedIn({ clock }: ControlContext, stopping: Promise<void>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = clock.setTimer(() => resolve(false), STOP_WAIT_MS)
  const isStopped = await Promise.race([promise, stopping.then(() => true)])
  timer.cancel()
  return isStopped
}

const NOT_IN_HAND = problem(
  'not_found',
  'No event of this name runs or waits here: it has ended, or another server has it. GET /line lists them.',
)

const FOREIGN = problem(
  'forbidden',
  "This event is another key's. Cancelling it needs an API key with the scope `admin`.",
)
