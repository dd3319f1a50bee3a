import { propagation, SpanKind, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openTicketServer } from './open-ticket-server.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`

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
  await provider.shutdown()
})

const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)

test('a ticket runs in the trace that has accepted it', async () => {
  await using server = await openTicketServer()
  const { body } = await server.post('/tickets', { content: 'Hi' }, { traceparent })
  await server.get(`/tickets/${body.id}?wait=10s`)
  const [accepted] = named('ai_ticket accept')
  expect(accepted).toMatchObject({ kind: SpanKind.PRODUCER, parentSpanContext: { traceId: TRACE_ID } })
  const [run] = named('ai_ticket event')
  expect(run?.parentSpanContext?.spanId).toBe(accepted?.spanContext().spanId)
  expect(run?.attributes).toMatchObject({
    'ai_ticket.ticket.id': body.id,
    'ai_ticket.event.id': body.event_id,
  })
})

test('the trace is kept beside the event, which stays as its caller has sent it', async () => {
  await using server = await openTicketServer()
  const event = { id: 'evt_1', content: 'Hi', traceparent: 'mine', tracestate: 7 }
  const { body } = await server.post('/tickets', event, { traceparent, tracestate: 'vendor=1' })
  const shown = await server.get(`/tickets/${body.id}`)
  expect(shown.body.event).toEqual(event)
  const [accepted] = named('ai_ticket accept')
  const { trace: kept } = (await server.store.get(body.id)) ?? {}
  expect(kept).toEqual({
    traceparent: `00-${TRACE_ID}-${accepted?.spanContext().spanId}-01`,
    tracestate: 'vendor=1',
  })
  const replayed = await server.post(`/tickets/${body.id}/replay`)
  const { event: again } = (await server.get(`/tickets/${replayed.body.id}`)).body
  expect(again).toEqual({ ...event, id: replayed.body.event_id })
})

test('a replay has a trace of its own, with a link to that of the ticket it repeats', async () => {
  await using server = await openTicketServer()
  const { body: first } = await server.post('/tickets', { content: 'Hi' })
  await server.get(`/tickets/${first.id}?wait=10s`)
  const { body: again } = await server.post(`/tickets/${first.id}/replay`)
  await server.get(`/tickets/${again.id}?wait=10s`)
  const [firstRun, secondRun] = named('ai_ticket event')
  const [accepted, replayed] = named('ai_ticket accept')
  expect(secondRun?.spanContext().traceId).not.toBe(firstRun?.spanContext().traceId)
  expect(secondRun?.parentSpanContext?.spanId).toBe(replayed?.spanContext().spanId)
  expect(accepted?.links).toEqual([])
  expect(replayed?.links.map(({ context }) => context)).toMatchObject([
    { traceId: accepted?.spanContext().traceId, spanId: accepted?.spanContext().spanId },
  ])
})
