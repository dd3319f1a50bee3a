import { createVirtualClock } from '@ai-ticket/testkit'
import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { limitTraces } from './limit-traces.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

function open(perSecond: number) {
  const clock = createVirtualClock()
  const sampler = limitTraces(perSecond, clock)
  const isTaken = (parent = ROOT_CONTEXT) =>
    sampler.shouldSample(parent, TRACE_ID, 'ai_ticket event', SpanKind.INTERNAL, {}, []).decision === 2
  const taken = (events: number) => Array.from({ length: events }, () => isTaken()).filter(Boolean).length
  return { clock, isTaken, taken }
}

const under = (traceFlags: TraceFlags) =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId: TRACE_ID, spanId: 'b7ad6b7169203331', traceFlags })

test('of the traces that begin here so many a second are taken, and no more are saved up', async () => {
  const { clock, taken } = open(100)
  expect(taken(1_000)).toBe(100)
  await clock.advance(250)
  expect(taken(1_000)).toBe(25)
  await clock.advance(3_600_000)
  expect(taken(1_000)).toBe(100)
})

test('events that come one by one are all traced', async () => {
  const { clock, taken } = open(100)
  for (let second = 0; second < 60; second += 1) {
    expect(taken(100)).toBe(100)
    await clock.advance(1_000)
  }
})

test('who begins a trace decides about it', () => {
  const { isTaken, taken } = open(1)
  expect(isTaken(under(TraceFlags.NONE))).toBe(false)
  expect(taken(2)).toBe(1)
  expect(isTaken(under(TraceFlags.SAMPLED))).toBe(true)
})
