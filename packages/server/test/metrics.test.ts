import { setTimeout as sleep } from 'node:timers/promises'
import type { SuccessOutcome } from '@ai-ticket/core'
import { createMetrics } from '@ai-ticket/http-server'
import type { StartKoboldSimulatorOptions } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { type OpenDesk, openDesk } from './open-desk.ts'

const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }

async function openMeasured(
  simulators: readonly StartKoboldSimulatorOptions[] = [FAST],
  apiKeys: string[] = [],
) {
  const metrics = await createMetrics({ version: '1.2.3' })
  return openDesk({ simulators, dispatcher: { observer: metrics.observer }, server: { metrics, apiKeys } })
}

/** One sample a line, `name{labels}` to its value. */
async function scrape({ url }: OpenDesk): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  )
}

const send = ({ url }: OpenDesk, event: unknown, init: RequestInit = {}) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
    ...init,
  })

test('events, calls and tokens are counted', async () => {
  await using desk = await openMeasured()
  const reply = await send(desk, { content: 'Say hello.', model: 'chosen-by-caller', id: 'evt_mine' })
  const outcome = (await reply.json()) as SuccessOutcome
  await send(desk, {})
  const seen = await scrape(desk)
  expect(Object.fromEntries(seen)).toMatchObject({
    'ai_ticket_events_total{outcome="completed",code="completed",door="event"}': 1,
    'ai_ticket_events_total{outcome="failed",code="missing_content_field",door="event"}': 1,
    'ai_ticket_attempts_total{backend="kobold-1",endpoint="chat",result="completed"}': 1,
    'ai_ticket_tokens_total{backend="kobold-1",direction="input"}': outcome.usage?.prompt_tokens,
    'ai_ticket_tokens_total{backend="kobold-1",direction="output"}': outcome.usage?.completion_tokens,
    'ai_ticket_event_duration_seconds_count{outcome="completed"}': 1,
    ai_ticket_event_wait_seconds_count: 2,
    'ai_ticket_attempt_duration_seconds_count{backend="kobold-1",endpoint="chat"}': 1,
    ai_ticket_events_in_hand: 0,
  })
  expect([...seen.keys()].join()).not.toMatch(/chosen-by-caller|evt_mine/)
})

test('tokens of prompts are counted as read, or saved where the backend had kept them', async () => {
  await using desk = await openMeasured()
  const content = 'The same instructions each time. '.repeat(40)
  const counts: number[] = []
  for (const mail of ['first', 'second']) {
    const reply = await send(desk, { content: `${content}${mail}` })
    const { usage, attempts } = (await reply.json()) as SuccessOutcome
    counts.push(usage?.prompt_tokens ?? 0, attempts[0]?.saved_prompt_tokens ?? 0)
  }
  const [first = 0, none, second = 0, saved = 0] = counts
  expect(none).toBe(0)
  expect(saved).toBeGreaterThan(200)
  expect(Object.fromEntries(await scrape(desk))).toMatchObject({
    'ai_ticket_prompt_tokens_total{backend="kobold-1",how="read"}': first + second - saved,
    'ai_ticket_prompt_tokens_total{backend="kobold-1",how="saved"}': saved,
  })
})

test('who was overtaken by a warm prompt is counted, and for how long', async () => {
  await using desk = await openMeasured([{ tokensPerSecond: 200, promptTokensPerSecond: 2_000 }])
  const mails = (family: string) => `${`${family} instructions `.repeat(60)}${Math.random()}`
  await Promise.all(['a', 'b', 'a', 'b', 'a'].map((family) => send(desk, { content: mails(family) })))
  expect((await scrape(desk)).get('ai_ticket_event_overtaken_seconds_count')).toBeGreaterThan(0)
})

test('a streamed call shows when its first token came', async () => {
  await using desk = await openMeasured()
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' }
  await (await send(desk, { content: 'Say hello.' }, { headers })).text()
  expect((await scrape(desk)).get('ai_ticket_first_token_seconds_count{backend="kobold-1"}')).toBe(1)
})

test('repeats count against the budget', async () => {
  await using desk = await openMeasured([{ ...FAST, faults: [{ fault: 'status', status: 500, times: 1 }] }])
  await send(desk, { content: 'Say hello.' })
  expect(Object.fromEntries(await scrape(desk))).toMatchObject({
    'ai_ticket_retries_total{backend="kobold-1"}': 1,
    'ai_ticket_backend_repeats_left{backend="kobold-1"}': 9,
    'ai_ticket_attempts_total{backend="kobold-1",endpoint="chat",result="api_server_error"}': 1,
  })
})

test('what a caller left behind is wasted, until the backend has stopped', async () => {
  await using desk = await openMeasured([{ tokensPerSecond: 5, abortReplyMs: 50 }])
  const control = new AbortController()
  const reply = send(desk, { content: 'Say hello.' }, { signal: control.signal })
  await desk.simulator.waitForCall(1)
  expect((await scrape(desk)).get('ai_ticket_backend_in_flight{backend="kobold-1"}')).toBe(1)
  control.abort()
  await expect(reply).rejects.toThrow()
  const wasted = 'ai_ticket_wasted_generation_seconds_total'
  const reasonsSeen = async () => {
    const seen = await scrape(desk)
    return ['abandoned', 'stopping'].map(
      (reason) => seen.get(`${wasted}{backend="kobold-1",reason="${reason}"}`) ?? 0,
    )
  }
  await expect.poll(async () => (await reasonsSeen()).every((seconds) => seconds > 0)).toBe(true)
  expect(
    (await scrape(desk)).get('ai_ticket_events_total{outcome="cancelled",code="cancelled",door="event"}'),
  ).toBe(1)
})

test('the line, the slots and the state of each backend are those of now', async () => {
  await using desk = await openMeasured([{ tokensPerSecond: 1 }])
  await fetch(`${desk.url}/health`)
  const control = new AbortController()
  const replies = [1, 2, 3].map(() => send(desk, { content: 'Say hello.' }, { signal: control.signal }))
  await expect.poll(async () => (await scrape(desk)).get('ai_ticket_line_length')).toBe(2)
  const seen = await scrape(desk)
  expect(Object.fromEntries(seen)).toMatchObject({
    ai_ticket_events_in_hand: 3,
    ai_ticket_line_capacity: 1_000,
    'ai_ticket_backend_slots{backend="kobold-1"}': 1,
    'ai_ticket_backend_state{backend="kobold-1",state="busy"}': 1,
    'ai_ticket_backend_state{backend="kobold-1",state="down"}': 0,
    'ai_ticket_breaker_state{backend="kobold-1",state="closed"}': 1,
  })
  expect(seen.get('ai_ticket_line_oldest_seconds')).toBeGreaterThan(0)
  control.abort()
  await Promise.allSettled(replies)
})

test('the process shows its version, memory and event loop', async () => {
  await using desk = await openMeasured()
  const seen = await scrape(desk)
  expect(seen.get(`ai_ticket_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1)
  expect(seen.get('ai_ticket_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(seen.get('ai_ticket_event_loop_delay_seconds{percentile="99"}')).toBeGreaterThanOrEqual(0)
})

test('an event loop that is not late shows no delay', async () => {
  await using desk = await openMeasured()
  const late = async () => (await scrape(desk)).get('ai_ticket_event_loop_delay_seconds{percentile="50"}')
  // Before the first tick there is no number of it, which must not show as one that is none.
  expect(await late()).toBeGreaterThanOrEqual(0)
  // What is measured is time: five ticks of it, again where the machine was too busy.
  const lateInAWhile = async () => {
    await sleep(100)
    return late()
  }
  await expect.poll(lateInAWhile).toBeLessThan(0.01)
})

test('every family follows the naming rules of Prometheus', async () => {
  await using desk = await openMeasured()
  const reply = await fetch(`${desk.url}/metrics`)
  expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const families = [...(await reply.text()).matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$/gm)]
  expect(families.length).toBeGreaterThan(20)
  for (const [, name = '', help, type] of families) {
    expect(name).toMatch(/^ai_ticket_[a-z_]+$/)
    expect(help).not.toMatch(/^$|[.:]$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    if (type === 'histogram') expect(name).toMatch(/_seconds$/)
  }
})

test('without metrics there is no such address, and with keys it wants one', async () => {
  await using plain = await openDesk()
  expect((await fetch(`${plain.url}/metrics`)).status).toBe(404)
  await using guarded = await openMeasured([FAST], ['a-key-that-is-long-enough'])
  expect((await fetch(`${guarded.url}/metrics`)).status).toBe(401)
  const headers = { authorization: 'Bearer a-key-that-is-long-enough' }
  expect((await fetch(`${guarded.url}/metrics`, { headers })).status).toBe(200)
})

test('the trace of a caller goes on to the backend', async () => {
  await using desk = await openDesk()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const headers = { 'content-type': 'application/json', traceparent, tracestate: 'vendor=1' }
  await send(desk, { content: 'Say hello.' }, { headers })
  expect(desk.simulator.calls[0]?.headers).toMatchObject({ traceparent, tracestate: 'vendor=1' })
  await send(desk, { content: 'Say hello.' }, { headers: { ...headers, traceparent: 'nonsense' } })
  expect(desk.simulator.calls[1]?.headers).not.toHaveProperty('traceparent')
})
