import { FAILURES, type Failure, type FailureCode } from '@ai-ticket/core'
import { HTTP_STATUS } from '../http/http-status.ts'
import { type FailureDialect, replyToFailure } from '../http/reply.ts'
import type { DescribedRoute, DocumentOptions } from './operation.ts'

/** How a route tells failures: in the desk's own words, with the outcome behind them where there is one, or in a dialect. */
export type FailureShape = 'Failure' | 'EventFailure' | FailureDialect

const refTo = (kind: 'schemas' | 'headers', name: string) => ({ $ref: `#/components/${kind}/${name}` })

const text = { type: 'string' }

/** Headers that answers of many routes have. */
export const HEADERS = {
  XRequestId: {
    description: 'The id of this request in the log: yours, or a new one.',
    required: true,
    schema: text,
  },
  RateLimit: {
    description: 'The rest of the limit: `"requests";r=59;t=1`.',
    required: false,
    schema: text,
  },
  RateLimitPolicy: { description: 'The limit: `"requests";q=60;w=60`.', required: false, schema: text },
}

export const COMMON_HEADERS = { 'X-Request-Id': refTo('headers', 'XRequestId') }

/** Where requests are counted. A key may be without a limit. */
export const RATE_HEADERS = {
  RateLimit: refTo('headers', 'RateLimit'),
  'RateLimit-Policy': refTo('headers', 'RateLimitPolicy'),
}

/** Any request may end in these before its route is known. */
const EVERYWHERE: readonly FailureCode[] = [
  'invalid_request',
  'request_timeout',
  'header_too_large',
  'internal_error',
]
const GUARDED: readonly FailureCode[] = ['forbidden', 'shutting_down']
const WITH_BODY: readonly FailureCode[] = [
  'payload_too_large',
  'unsupported_media_type',
  'invalid_input_format',
  'capacity_exceeded',
]

const SENT: Readonly<Record<string, string>> = {
  'retry-after': 'Seconds after which it is worth asking again.',
  'www-authenticate': 'How to send a key.',
  'x-should-retry': 'Tells clients of OpenAI and Anthropic whether to repeat the request.',
}

/** Every code that a route can end in. */
export function failureCodes(route: DescribedRoute, options: DocumentOptions): Set<FailureCode> {
  const { access, body, failures } = route.operation
  const codes = new Set([...EVERYWHERE, ...failures])
  const add = (more: readonly FailureCode[]) => {
    for (const code of more) codes.add(code)
  }
  // A body that nobody asked for is read, too, but with a GET.
  if (body !== undefined || !route.route.startsWith('GET ')) add(WITH_BODY)
  if (access === 'open') return codes
  add(GUARDED)
  if (options.withKeys && access !== 'keyless') add(['unauthorised'])
  if (isLimited(route, options)) add(['rate_limited'])
  return codes
}

export const isLimited = ({ operation, isUnlimited }: DescribedRoute, { withLimits }: DocumentOptions) =>
  withLimits && !isUnlimited && operation.access !== 'open'

/** Responses of OpenAPI by status. */
export function failureAnswers(codes: ReadonlySet<FailureCode>, shape: FailureShape): Record<number, object> {
  const answers: Record<number, object> = {}
  for (const [status, those] of byStatus(codes, shape)) {
    answers[status] = {
      description: those.map((code) => `\`${code}\`: ${FAILURES[code].summary}`).join('\n\n'),
      headers: headersOf(those, shape),
      content: contentOf(those, shape),
    }
  }
  return answers
}

function byStatus(codes: ReadonlySet<FailureCode>, shape: FailureShape): Map<number, FailureCode[]> {
  const statuses = new Map<number, FailureCode[]>()
  const add = (status: number, code: FailureCode) =>
    statuses.set(status, [...(statuses.get(status) ?? []), code])
  for (const code of codes) {
    for (const status of statusesOf(code, shape)) add(status, code)
  }
  return statuses
}

function statusesOf(code: FailureCode, shape: FailureShape): readonly number[] {
  if (typeof shape === 'string') return [HTTP_STATUS[code]]
  return shape.statusesOf?.(code) ?? [shape.reply({ code, details: '' }, '').status]
}

/** Required where every code of the status sends it. */
function headersOf(codes: readonly FailureCode[], shape: FailureShape): Record<string, object> {
  const reply = (failure: Failure) =>
    typeof shape === 'string' ? replyToFailure(failure) : shape.reply(failure, '')
  const sent = codes.map((code) => Object.keys(reply({ code, details: '' }).headers))
  const rate = codes.includes('rate_limited') ? RATE_HEADERS : {}
  const headers: Record<string, object> = { ...COMMON_HEADERS, ...rate }
  for (const [name, description] of Object.entries(SENT)) {
    const often = sent.filter((names) => names.includes(name)).length
    if (often === 0) continue
    headers[name] = { description, required: often === codes.length, schema: { type: 'string' } }
  }
  return headers
}

function contentOf(codes: readonly FailureCode[], shape: FailureShape): Record<string, object> {
  const content = { 'application/json': { schema: schemaOf(codes, shape) } }
  const ofEvents = codes.filter((code) => FAILURES[code].stage !== 'edge')
  if (shape !== 'EventFailure' || ofEvents.length === 0) return content
  const data = { properties: { error: { enum: ofEvents } } }
  const schema = { allOf: [refTo('schemas', 'CloudEventFailure'), { properties: { data } }] }
  return { ...content, 'application/cloudevents+json': { schema } }
}

function schemaOf(codes: readonly FailureCode[], shape: FailureShape): object {
  // Its code may be the dialect's own word for ours.
  if (typeof shape !== 'string') return refTo('schemas', shape.name)
  const told =
    shape === 'Failure'
      ? refTo('schemas', 'Failure')
      : { anyOf: [refTo('schemas', 'FailureOutcome'), refTo('schemas', 'Failure')] }
  return { allOf: [told, { properties: { error: { enum: codes } } }] }
}
