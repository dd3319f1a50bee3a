import type { Clock, Dispatcher, Failure, FailureCode, Logger } from '@ai-ticket/core'
import { RequestProblem, type Scope } from '@ai-ticket/http-server'
// For `instance.tickets`, where the routes of tickets are registered.
import type {} from '@ai-ticket/tickets/fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** The parts that all routes share. */
export interface ControlContext {
  readonly dispatcher: Dispatcher
  readonly worker: string
  readonly logger: Logger
  readonly clock: Clock
  readonly nameOf: (request: FastifyRequest) => string | undefined
}

/** The name of the key that a request shows; undefined without one, or on a server that `createServer` did not make. */
export const keyNameOf = (instance: FastifyInstance, request: FastifyRequest): string | undefined =>
  instance.hasDecorator('keyNameOf') ? instance.keyNameOf(request) : undefined

/** On a server that `createServer` did not make, who may ask is that server's business. */
export const may = (instance: FastifyInstance, request: FastifyRequest, scope: Scope): boolean =>
  !instance.hasDecorator('hasScope') || instance.hasScope(request, scope)

/** Each action of an operator is a line in the log, with the name of the key. */
export function noteAction(
  { logger, nameOf }: Pick<ControlContext, 'logger' | 'nameOf'>,
  request: FastifyRequest,
  fields: { readonly action: string } & Readonly<Record<string, unknown>>,
): void {
  const said = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  logger.info('operator acted', { ...said, by: nameOf(request) ?? request.ip, request_id: request.id })
}

/** For the error handler of the server, which answers `{ error, details }` with the status of the code. */
export const problem = (code: FailureCode, details: string, more: Partial<Failure> = {}): RequestProblem =>
  new RequestProblem({ ...more, code, details })
