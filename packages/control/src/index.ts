export type { CallbackBody, TicketBody, TicketRowBody } from '@ai-ticket/tickets/fastify'
export type { CallerBody } from './bodies/caller.ts'
export type { EndedBody, LineBody, RunningBody, WaitingBody } from './bodies/line.ts'
export { type ControlRoutesOptions, controlRoutes } from './control-routes.ts'
