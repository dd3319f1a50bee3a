import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Failure, FailureCode, Outcome } from '@ai-ticket/core'
import type { FastifyReply } from 'fastify'
import { HTTP_STATUS } from './http-status.ts'

/** What goes over the wire; made without touching a socket. */
export interface HttpReply {
  /** Of HTTP, such as 200. */
  readonly status: number
  /** Beside `content-type`, which follows from the body. */
  readonly headers: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body: object
}

/** How failures are reported to the callers of some addresses, before there is an event and after. */
export interface FailureDialect {
  /** Of the schema of its bodies in the OpenAPI description, among the `schemas` of the operations that speak it. */
  readonly name: string
  /** Whether callers of this path speak it. The path has no query, and no slash twice. */
  covers(path: string): boolean
  /** The whole reply. `requestId`: the id of the request in the log, also in `X-Request-Id`. */
  reply(failure: Failure, requestId: string): HttpReply
  /** Every status that a code can have here, where it has more than the one of `reply`. */
  statusesOf?(code: FailureCode): readonly number[]
}

/** Codes whose reply always says when to come back, and what it says when nobody knows. */
const DEFAULT_RETRY_AFTER_MS: Partial<Readonly<Record<FailureCode, number>>> = {
  rate_limited: 1_000,
  api_rate_limited: 1_000,
  api_connection_error: 1_000,
  capacity_exceeded: 1_000,
  store_unavailable: 1_000,
  shutting_down: 5_000,
}

/** The outcome itself is the body: the same object in process and over HTTP. */
export function replyToOutcome(outcome: Outcome): HttpReply {
  if (outcome.error === undefined) return { status: 200, headers: {}, body: outcome }
  return {
    status: HTTP_STATUS[outcome.error],
    headers: headersOf(outcome.error, outcome.retry_after_ms),
    body: outcome,
  }
}

/** For what fails at the edge, before there is an event. */
export function replyToFailure({ code, details, retryAfterMs }: Failure): HttpReply {
  return {
    status: HTTP_STATUS[code],
    headers: headersOf(code, retryAfterMs),
    body: { error: code, details },
  }
}

function headersOf(code: FailureCode, knownMs: number | undefined): Record<string, string> {
  if (code === 'unauthorised') return { 'www-authenticate': 'Bearer' }
  const retryAfterMs = knownMs ?? DEFAULT_RETRY_AFTER_MS[code]
  if (retryAfterMs === undefined) return {}
  // Whole seconds, rounded up: a caller that comes back too early is refused again.
  return { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) }
}

/** Sends it through Fastify. */
export function sendReply(reply: FastifyReply, { status, headers, body }: HttpReply): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}

const TOLD = Symbol('told')

/** Marked on itself: a set of all responses would cost more, with each collection of garbage again. */
interface MarkedResponse extends ServerResponse {
  [TOLD]?: true
}

/** The event of this request has a line of its own in the log, which names the request. */
export function markTold(response: MarkedResponse): void {
  response[TOLD] = true
}
export const isTold = (response: MarkedResponse): boolean => response[TOLD] === true

const broken = new WeakSet<ServerResponse>()

/** Nothing more comes but the break: a caller who leaves meanwhile has not hung up. */
export const startBreak = (response: ServerResponse): void => void broken.add(response)

/** Closes the connection in the middle of a reply, once what was written is out. Without a connection the reply ends. */
export function breakReply(response: ServerResponse): void {
  if (response.socket instanceof Socket) response.socket.destroySoon()
  else response.end()
}

/** Whether we had the last word, and not a caller who hung up. */
export const isOver = (response: ServerResponse): boolean => response.writableEnded || broken.has(response)
