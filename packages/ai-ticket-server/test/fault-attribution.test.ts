import type { DeskReport, Outcome } from '@ai-ticket/core'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FuzzedServer, openFuzzedServer } from './edge-fuzz/open-fuzzed-server.ts'

// Whatever an event holds, the state of a backend depends on what the backend did. AI_TICKET_SEED repeats a run: the
// seed stands in the message of a failure.
const IS_LONG = process.env.AI_TICKET_LONG === '1'
const EVENTS = IS_LONG ? 3_000 : 120
const timeout = IS_LONG ? 300_000 : 60_000
const { CI, AI_TICKET_SEED = CI && '20261126' } = process.env
const options = { numRuns: EVENTS, ...(AI_TICKET_SEED ? { seed: Number(AI_TICKET_SEED) } : {}) }

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

let server: FuzzedServer
let base: string

beforeAll(async () => {
  server = await openFuzzedServer()
  base = `http://127.0.0.1:${server.port}`
  await normalEvent()
})

afterAll(() => server[Symbol.asyncDispose]())

/** Texts that headers, paths and bodies do not like. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    ...[
      'a=漢',
      'a=1\r\nx-injected: 1',
      'a=\u0000',
      'a=\u007f',
      '\ud800',
      'é',
      ' ',
      '',
      '../../api/extra/abort',
      '%00',
    ],
    ...['a=1,'.repeat(400), 'x'.repeat(9_000), '__proto__', 'Infinity', '{"a":', '\u2028'],
  ),
)

const headerName = fc.oneof(
  hostile,
  fc.constantFrom(
    'content-length',
    'Host',
    'transfer-encoding',
    'connection',
    'expect',
    'Content-Type',
    'upgrade',
  ),
  fc.constantFrom(
    'tracestate',
    'traceparent',
    'baggage',
    'Authorization',
    'te',
    'trailer',
    'content-encoding',
  ),
)

const parameters = fc.record(
  {
    stop: fc.oneof(hostile, fc.array(hostile, { maxLength: 3 })),
    tools: fc.array(fc.dictionary(hostile, fc.anything({ withBigInt: true }), { maxKeys: 2 }), {
      maxLength: 2,
    }),
    tool_choice: fc.anything(),
    logit_bias: fc.dictionary(hostile, fc.double(), { maxKeys: 2 }),
    seed: fc.oneof(fc.integer(), fc.double()),
    max_tokens: fc.integer({ min: -1, max: 8 }),
  },
  { requiredKeys: [] },
)

const event = fc.record(
  {
    content: fc.oneof(
      hostile,
      fc.array(hostile, { maxLength: 3 }),
      fc.record({
        messages: fc.array(
          fc.record({
            role: fc.constantFrom('user', 'system', 'assistant', 'tool'),
            content: hostile,
            name: hostile,
          }),
          { maxLength: 3 },
        ),
      }),
    ),
    id: hostile,
    model: fc.oneof(hostile, fc.constant('default')),
    backend: fc.oneof(hostile, fc.constant('kobold')),
    metadata: fc.dictionary(hostile, hostile, { maxKeys: 3 }),
    parameters,
  },
  { requiredKeys: ['content'] },
)

const backendsOf = ({ backends }: DeskReport) =>
  backends.map(({ name, state, breaker }) => ({ name, state, breaker }))

const WELL = [{ name: 'kobold', state: 'ready', breaker: 'closed' }]

async function normalEvent(): Promise<void> {
  const outcome = await server.dispatcher.onEvent({ content: 'Why?', parameters: { max_tokens: 4 } })
  expect(outcome).toMatchObject({ completion: expect.any(String), attempts: [{ number: 1, waited_ms: 0 }] })
}

async function stayedWell(): Promise<void> {
  expect(backendsOf(server.dispatcher.report())).toEqual(WELL)
  await normalEvent()
}

test('in process: fields and headers of an event', { timeout }, async () => {
  const headers = fc.dictionary(headerName, hostile, { maxKeys: 4 })
  await fc.assert(
    fc.asyncProperty(event, headers, async (value, given) => {
      const outcome: Outcome = await server.dispatcher.onEvent(value as unknown, { headers: given })
      if (outcome.error !== undefined) expect(outcome.error).not.toMatch(/^api_(connection|timeout|server)/)
      await stayedWell()
    }),
    options,
  )
})

const latin = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 30,
})

test('over HTTP: whole, streamed, as a ticket, and in the dialect of OpenAI', { timeout }, async () => {
  const doors = fc.constantFrom<[string, Record<string, string>]>(
    ['/event', {}],
    ['/event', { accept: 'text/event-stream' }],
    ['/tickets', {}],
    ['/v1/chat/completions', {}],
    ['/v1/completions', {}],
  )
  await fc.assert(
    fc.asyncProperty(doors, event, latin, hostile, async ([path, more], value, state, text) => {
      const body = path.startsWith('/v1')
        ? {
            ...value.parameters,
            model: value.model,
            messages: [{ role: 'user', content: text }],
            prompt: text,
          }
        : value
      const headers = {
        'content-type': 'application/json',
        traceparent: TRACEPARENT,
        tracestate: state,
        ...more,
      }
      const text_ = JSON.stringify(body, (_, one) => (typeof one === 'bigint' ? String(one) : one))
      const response = await fetch(`${base}${path}`, { method: 'POST', headers, body: text_ })
      const reply = await response.text()
      expect(reply).not.toMatch(/"error":"api_(connection|timeout|server)/)
      if (path === '/tickets' && response.status === 202)
        await ticketEnds(response.headers.get('location') ?? '')
      await stayedWell()
    }),
    options,
  )
})

async function ticketEnds(location: string): Promise<void> {
  const response = await fetch(`${base}${location}?wait=10s`)
  expect(await response.json()).toMatchObject({ status: expect.stringMatching(/completed|failed/) })
}

test('as a CloudEvent: attributes that travel on as headers', { timeout }, async () => {
  const attributes = fc.record(
    {
      tracestate: hostile,
      traceparent: fc.oneof(fc.constant(TRACEPARENT), hostile),
      correlationid: hostile,
      subject: hostile,
    },
    { requiredKeys: ['tracestate'] },
  )
  let id = 0
  await fc.assert(
    fc.asyncProperty(attributes, async (extensions) => {
      id += 1
      const cloudEvent = {
        traceparent: TRACEPARENT,
        ...extensions,
        id: `c${id}`,
        source: '/fuzz',
        type: 't',
        specversion: '1.0',
      }
      const response = await fetch(`${base}/event`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({ ...cloudEvent, data: { content: 'Why?' } }),
      })
      expect(await response.text()).not.toMatch(/"error":"api_(connection|timeout|server)/)
      await stayedWell()
    }),
    options,
  )
})
