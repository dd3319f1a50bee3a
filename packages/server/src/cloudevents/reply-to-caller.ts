import { randomUUID } from 'node:crypto'
import type { Clock, Outcome } from '@ai-ticket/core'
import type { FastifyRequest } from 'fastify'
import { type HttpReply, replyToOutcome } from '../http/reply.ts'
import { answerInMode } from './answer-in-mode.ts'
import { singleOf } from './incoming.ts'

/** An outcome as its caller wants it: as it is, or as a CloudEvent where the event came as one. */
export function replyToCaller(
  request: FastifyRequest,
  outcome: Outcome,
  { clock, subject = outcome.id }: { readonly clock: Clock; readonly subject?: string },
): HttpReply {
  const plain = replyToOutcome(outcome)
  const incoming = singleOf(request)
  if (incoming === undefined) return plain
  return answerInMode(plain, outcome, incoming, {
    id: randomUUID(),
    source: serviceUri(request),
    subject,
    time: new Date(clock.wallTime()).toISOString(),
  })
}

/** The address at which the caller reached this server. A `Host` that makes none leaves the path. */
function serviceUri({ protocol, host }: FastifyRequest): string {
  const uri = `${protocol}://${host}/event`
  return /^[\w.:[\]-]+$/.test(host) && URL.canParse(uri) ? uri : '/event'
}
