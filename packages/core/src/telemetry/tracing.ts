import {
  type Attributes,
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { GenerationEnd } from '../contract/backend.ts'
import type { AttemptRecord } from '../contract/outcome.ts'
import type { AttemptTrace, EventTrace, TracedArrival, TracedCall, TracedEvent } from './trace.ts'

const tracer = trace.getTracer('@ai-ticket/core')

/**
 * Starts the span of an event: a child of the trace that its headers name, else of the caller's active span. Prompts and
 * answers are never on a span. Undefined: a sampler leaves it out, and then the event costs as little as where nothing
 * traces; the backend gets what came with it.
 */
export function startEventTrace({ id, headers, traceOptions }: TracedEvent): EventTrace | undefined {
  const parent = parentOf(headers)
  const attributes = { ...traceOptions?.attributes, [ATTRIBUTE.eventId]: id }
  const span = tracer.startSpan('ai_ticket event', { attributes }, parent)
  if (!span.isRecording()) return undefined
  const inside = trace.setSpan(parent, span)
  return {
    traceId: span.spanContext().traceId,
    startAttempt: (call) => startAttempt(call, inside),
    end(outcome, waitedMs) {
      const failed = outcome.error !== undefined ? outcome : undefined
      span.setAttributes({
        [ATTRIBUTE.code]: failed?.error ?? 'completed',
        [ATTRIBUTE.attempts]: outcome.attempts.length,
        [ATTRIBUTE.wait]: waitedMs / 1_000,
      })
      if (failed) markFailed(span, failed.error)
      span.end()
    },
  }
}

function headersInto(given: TracedEvent['headers'], place: Context): Record<string, string> {
  const headers = { ...given }
  propagation.inject(place, headers)
  return headers
}

/** The span of something that runs later; the headers that continue it. */
export function traceArrival({ name, headers, attributes, follows }: TracedArrival): Record<string, string> {
  const parent = parentOf(headers)
  const links = follows ? linkTo(follows) : []
  const span = tracer.startSpan(
    name,
    { kind: SpanKind.PRODUCER, attributes: { ...attributes }, links },
    parent,
  )
  span.end()
  return headersInto(headers, trace.setSpan(parent, span))
}

const parentOf = (headers: TracedEvent['headers']): Context =>
  headers ? propagation.extract(context.active(), headers) : context.active()

function linkTo(headers: Readonly<Record<string, string>>): Link[] {
  const linked = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, headers))
  return linked ? [{ context: linked }] : []
}

function startAttempt(call: TracedCall, parent: Context): AttemptTrace {
  const { endpoint, request } = call
  const operation = endpoint.turns ? 'chat' : 'text_completion'
  const name = request.model === undefined ? operation : `${operation} ${request.model}`
  const attributes = identityOf(call, operation)
  const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent)
  // A span that a sampler left out is not worth describing.
  if (span.isRecording()) span.setAttributes(descriptionOf(call))
  return {
    headers: headersInto(request.headers, trace.setSpan(parent, span)),
    end(record, end) {
      if (span.isRecording()) describeEnd(span, record, end)
      span.end()
    },
  }
}

/** What the conventions want at the start of a span, for samplers to look at. */
function identityOf({ backend, request }: TracedCall, operation: string): Attributes {
  const { name, server } = backend
  return {
    [ATTRIBUTE.operation]: operation,
    [ATTRIBUTE.provider]: server?.provider ?? name,
    ...(request.model !== undefined && { [ATTRIBUTE.requestModel]: request.model }),
    ...(server && { [ATTRIBUTE.serverAddress]: server.address, [ATTRIBUTE.serverPort]: server.port }),
  }
}

/**
 * The names of everything that a span carries. Those of `gen_ai` are marked "Development" in OpenTelemetry's
 * conventions (1.41.1) and have changed before: they stand here and nowhere else.
 */
export const ATTRIBUTE = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  topP: 'gen_ai.request.top_p',
  topK: 'gen_ai.request.top_k',
  frequencyPenalty: 'gen_ai.request.frequency_penalty',
  presencePenalty: 'gen_ai.request.presence_penalty',
  seed: 'gen_ai.request.seed',
  stream: 'gen_ai.request.stream',
  outputType: 'gen_ai.output.type',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  httpStatus: 'http.response.status_code',
  eventId: 'ai_ticket.event.id',
  code: 'ai_ticket.code',
  backend: 'ai_ticket.backend',
  endpoint: 'ai_ticket.endpoint',
  attemptNumber: 'ai_ticket.attempt.number',
  attempts: 'ai_ticket.attempts',
  /** Seconds in the waiting line. */
  wait: 'ai_ticket.wait',
} as const

const OPTIONAL = [
  [ATTRIBUTE.topK, 'top_k'],
  [ATTRIBUTE.frequencyPenalty, 'frequency_penalty'],
  [ATTRIBUTE.presencePenalty, 'presence_penalty'],
  [ATTRIBUTE.seed, 'seed'],
] as const

function descriptionOf({ backend, endpoint, request, number, stream }: TracedCall): Attributes {
  const { parameters, schema } = request
  const attributes: Attributes = {
    [ATTRIBUTE.maxTokens]: parameters.max_tokens,
    [ATTRIBUTE.temperature]: parameters.temperature,
    [ATTRIBUTE.topP]: parameters.top_p,
    [ATTRIBUTE.stream]: stream,
    [ATTRIBUTE.outputType]: schema ? 'json' : 'text',
    [ATTRIBUTE.backend]: backend.name,
    [ATTRIBUTE.endpoint]: endpoint.name,
    [ATTRIBUTE.attemptNumber]: number,
  }
  for (const [name, parameter] of OPTIONAL) {
    const value = parameters[parameter]
    if (value !== undefined) attributes[name] = value
  }
  return attributes
}

function describeEnd(span: Span, record: Readonly<AttemptRecord>, end: GenerationEnd | undefined): void {
  const { result, status, first_token_ms: firstTokenMs } = record
  if (status !== undefined) span.setAttribute(ATTRIBUTE.httpStatus, status)
  if (firstTokenMs !== undefined) span.setAttribute(ATTRIBUTE.timeToFirstChunk, firstTokenMs / 1_000)
  if (result !== 'completed') markFailed(span, result)
  if (!end) return
  span.setAttribute(ATTRIBUTE.finishReasons, [end.finish_reason])
  if (end.model !== undefined) span.setAttribute(ATTRIBUTE.responseModel, end.model)
  if (!end.usage) return
  span.setAttribute(ATTRIBUTE.inputTokens, end.usage.prompt_tokens)
  span.setAttribute(ATTRIBUTE.outputTokens, end.usage.completion_tokens)
}

/** A caller who changed his mind is no fault of the desk. */
function markFailed(span: Span, code: Exclude<AttemptRecord['result'], 'completed'>): void {
  span.setAttribute(ATTRIBUTE.errorType, code)
  if (code !== 'cancelled') span.setStatus({ code: SpanStatusCode.ERROR, message: code })
}
