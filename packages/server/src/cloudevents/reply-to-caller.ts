import { randomUUID } from 'node:crypto'
import type { Clock, Outcome } from '@ai-ticket/core'
import type { FastifyRequest } from 'fastify'
import { type HttpReply, replyToOutcome } from '../http/reply.ts'
import type { Attributes, CloudEvent } from './cloud-event.ts'
import { encodeHeaderValue } from './header-value.ts'
import { type SingleIncoming, singleOf } from './incoming.ts'

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

/** Extensions that an answer has from the event that caused it. */
const COPIED = ['correlationid', 'traceparent', 'tracestate'] as const

interface AnswerNames {
  /** Of the CloudEvent that is the answer. */
  readonly id: string
  readonly source: string
  /** The ticket or the event that was answered. */
  readonly subject: string
  /** ISO 8601. */
  readonly time: string
}

/** The reply as a CloudEvent in the mode of the one that asked: its data is the outcome, its status stays. */
export function answerInMode(
  plain: HttpReply,
  outcome: Outcome,
  { mode, cloudEvent }: SingleIncoming,
  names: AnswerNames,
): HttpReply {
  const attributes = attributesOf(outcome, cloudEvent, names)
  if (mode === 'binary') return { ...plain, headers: { ...plain.headers, ...headersOf(attributes) } }
  return {
    status: plain.status,
    headers: { ...plain.headers, 'content-type': 'application/cloudevents+json; charset=utf-8' },
    body: { ...attributes, datacontenttype: 'application/json', data: outcome },
  }
}

function attributesOf(outcome: Outcome, cause: CloudEvent, names: AnswerNames): Attributes {
  const copied = COPIED.flatMap((name) => {
    const value = cause.attributes[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    specversion: '1.0',
    type: `dev.aiticket.event.${outcome.error === undefined ? 'completed' : 'failed'}.v1`,
    ...names,
    causationid: cause.id,
    ...Object.fromEntries(copied),
  }
}

/** In binary mode the content type is that of the data. */
const headersOf = (attributes: Attributes): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeHeaderValue(value)]),
  ),
  'content-type': 'application/json; charset=utf-8',
})
