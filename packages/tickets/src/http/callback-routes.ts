import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ticket } from '../ticket/ticket.ts'
import { checkCallback } from './accept-event.ts'
import { callbackBody, deliveriesFor } from './ticket-body.ts'
import type { TicketContext } from './ticket-context.ts'
import { describedAs, problem } from './ticket-context.ts'

interface Named {
  readonly Params: { readonly id: string }
  readonly Querystring: Readonly<Record<string, unknown>>
}

/** The history of a ticket's callback, and sending it again. `find` throws where the caller may not see the ticket. */
export function addCallbackRoutes(
  instance: FastifyInstance,
  context: TicketContext,
  find: (request: FastifyRequest<Named>) => Promise<Ticket>,
): void {
  const { store } = context

  instance.get<Named>(
    '/tickets/:id/callbacks',
    { config: describedAs('getCallbacks', ['events', 'read']) },
    async (request, reply) => {
      const ticket = await find(request)
      const { callbackUrl } = ticket
      const delivery = (await deliveriesFor(store, [ticket])).get(ticket.id)
      const data = callbackUrl === undefined ? [] : [callbackBody(ticket, callbackUrl, delivery)]
      reply.header('cache-control', 'no-store')
      return reply.send({ object: 'list', data })
    },
  )

  instance.post<Named>(
    '/tickets/:id/callbacks/resend',
    { config: describedAs('postResend', ['admin']) },
    async (request, reply) => {
      const ticket = await find(request)
      const { callbackUrl } = ticket
      if (callbackUrl === undefined) throw problem('not_found', 'This ticket has no `callback_url`.')
      checkCallback(context, callbackUrl)
      const delivery = await store.callbacks.resend(ticket.id)
      if (delivery === undefined) {
        throw problem('conflict', 'This ticket has not ended; its callback is sent when it has.')
      }
      return reply.code(202).send(callbackBody(ticket, callbackUrl, delivery))
    },
  )
}
