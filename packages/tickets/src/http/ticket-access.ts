import type { Scope } from '@ai-ticket/server'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ticket } from '../ticket/ticket.ts'
import { problem, unknownTicket } from './problems.ts'

/** Who may see and cancel which ticket: a key its own, `read` sees all, `admin` does all. */
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

const FOREIGN = problem(
  'forbidden',
  "This ticket is another key's. Cancelling it needs an API key with the scope `admin`.",
)
