import { traceArrival } from '@ai-ticket/core'
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const headers = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, tracestate: 'vendor=1' }
const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }

const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })

beforeAll(() => {
  trace.setGlobalTracerProvider(provider)
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
})
afterEach(() => exporter.reset())
afterAll(async () => {
  trace.disable()
  propagation.disable()
  context.disable()
  await provider.shutdown()
})

const spans = (): ReadableSpan[] => exporter.getFinishedSpans()

test('an event is a span of its caller, and each call of a backend a span of the event', async () => {
  await using desk = await openDesk([FAST])
  const event = {
    id: 'evt_mine',
    content: 'A secret prompt.',
    parameters: { max_tokens: 32, temperature: 0.2 },
  }
  const outcome = await desk.dispatcher.onEvent(event, { headers })
  if (outcome.error !== undefined) throw new Error(outcome.error)
  const [attempt, whole] = spans()
  expect(whole).toMatchObject({ name: 'ai_ticket event', kind: SpanKind.INTERNAL })
  expect(whole?.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: 'b7ad6b7169203331' })
  expect(whole?.attributes).toEqual({
    'ai_ticket.event.id': 'evt_mine',
    'ai_ticket.code': 'completed',
    'ai_ticket.attempts': 1,
    'ai_ticket.wait': 0,
  })
  expect(attempt).toMatchObject({ name: 'chat', kind: SpanKind.CLIENT })
  expect(attempt?.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId)
  expect(attempt?.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'koboldcpp',
    'gen_ai.request.max_tokens': 32,
    'gen_ai.request.temperature': 0.2,
    'gen_ai.request.top_p': 1,
    'gen_ai.request.stream': false,
    'gen_ai.request.seed': expect.any(Number),
    'gen_ai.output.type': 'text',
    'gen_ai.response.model': outcome.model,
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': outcome.usage?.prompt_tokens,
    'gen_ai.usage.output_tokens': outcome.usage?.completion_tokens,
    'server.address': '127.0.0.1',
    'server.port': Number(new URL(desk.simulators[0].url).port),
    'ai_ticket.backend': 'b1',
    'ai_ticket.endpoint': 'chat',
    'ai_ticket.attempt.number': 1,
  })
})

test('the backend gets the span of its call as the parent', async () => {
  await using desk = await openDesk([FAST])
  await desk.dispatcher.onEvent({ content: 'Hi' }, { headers })
  const [attempt] = spans()
  const sent = desk.simulators[0].calls[0]?.headers
  expect(sent?.traceparent).toBe(`00-${TRACE_ID}-${attempt?.spanContext().spanId}-01`)
  expect(sent?.tracestate).toBe('vendor=1')
})

test('an event whose caller does not want it recorded is none, and the backend gets what came with it', async () => {
  await using desk = await openDesk([FAST])
  const unwanted = { ...headers, traceparent: headers.traceparent.replace(/01$/, '00') }
  expect(await desk.dispatcher.onEvent({ content: 'Hi' }, { headers: unwanted })).toHaveProperty('completion')
  expect(spans()).toEqual([])
  expect(desk.simulators[0]?.calls[0]?.headers).toMatchObject(unwanted)
})

test('without a traceparent an event is a span of what its caller does', async () => {
  await using desk = await openDesk([FAST])
  await desk.dispatcher.onEvent({ content: 'Hi' })
  expect(spans().at(-1)?.parentSpanContext).toBeUndefined()
  expect(context.active()).toBe(ROOT_CONTEXT)
})

test('a failure is an error of its span, a change of mind is not', async () => {
  await using desk = await openDesk([{ tokensPerSecond: 5, abortReplyMs: 5 }])
  await desk.dispatcher.onEvent({ content: '' })
  expect(spans()[0]?.status).toMatchObject({
    code: SpanStatusCode.ERROR,
    message: 'prompt_extraction_failed',
  })
  exporter.reset()
  const control = new AbortController()
  const event = desk.dispatcher.onEvent({ content: 'Hi' }, { signal: control.signal })
  await desk.simulators[0].waitForCall(1)
  control.abort()
  await expect(event).rejects.toThrow()
  expect(spans().map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['cancelled', SpanStatusCode.UNSET],
    ['cancelled', SpanStatusCode.UNSET],
  ])
})

test('no span holds what was asked or answered', async () => {
  await using desk = await openDesk([FAST])
  const event: unknown = {
    content: { system: 'Keep mum.', prompt: 'A secret prompt.' },
    metadata: { customer: 'secret' },
    parameters: { stop: ['secret stop'] },
  }
  const outcome = await desk.dispatcher.onEvent(event)
  if (outcome.error !== undefined) throw new Error(outcome.error)
  const shown = JSON.stringify(
    spans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
  )
  for (const hidden of ['secret', 'Keep mum', outcome.completion]) expect(shown).not.toContain(hidden)
})

test('the settings that an event names are on the span of its call', async () => {
  await using desk = await openDesk([FAST])
  await desk.dispatcher.onEvent({ content: 'Hi', model: 'tiny', parameters: { seed: 7, top_k: 40 } })
  expect(spans()[0]).toMatchObject({ name: 'chat tiny' })
  expect(spans()[0]?.attributes).toMatchObject({
    'gen_ai.request.model': 'tiny',
    'gen_ai.request.seed': 7,
    'gen_ai.request.top_k': 40,
  })
})

test('a caller may say what else stands on the span of an event', async () => {
  await using desk = await openDesk([FAST])
  const attributes = { 'ai_ticket.ticket.id': 'tkt_1' }
  await desk.dispatcher.onEvent({ content: 'Hi' }, { trace: { attributes } })
  expect(spans().at(-1)?.attributes).toMatchObject(attributes)
})

test('what arrives may follow from something in another trace', async () => {
  await traceArrival({ name: 'ai_ticket accept', follows: headers })
  await traceArrival({ name: 'ai_ticket accept', follows: { traceparent: 'nonsense' } })
  const [linked, unlinked] = spans()
  expect(linked?.links.map((link) => link.context)).toMatchObject([
    { traceId: TRACE_ID, spanId: 'b7ad6b7169203331' },
  ])
  expect(linked?.spanContext().traceId).not.toBe(TRACE_ID)
  expect(unlinked?.links).toEqual([])
})

test('what arrives now is the parent of what runs later', async () => {
  const trace = await traceArrival({
    name: 'ai_ticket accept',
    headers,
    attributes: { 'ai_ticket.event.id': 'e' },
  })
  const [arrival] = spans()
  expect(arrival).toMatchObject({ name: 'ai_ticket accept', attributes: { 'ai_ticket.event.id': 'e' } })
  expect(arrival?.parentSpanContext?.traceId).toBe(TRACE_ID)
  expect(trace).toEqual({
    traceparent: `00-${TRACE_ID}-${arrival?.spanContext().spanId}-01`,
    tracestate: 'vendor=1',
  })
})
