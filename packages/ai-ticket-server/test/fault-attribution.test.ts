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
  server = await openFuzzedServer({ hasOthers: true })
  base = `http://127.0.0.1:${server.port}`
  await normalEvent()
})

afterAll(() => server[Symbol.asyncDispose]())

/** Texts that headers, paths and bodies do not like, and some that a server must not be taken to have said itself. */
const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    'No models loaded.',
    'Model unloaded. The model has crashed',
    'Server is busy, 401 invalid_api_key',
  ),
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

const json = fc.json({ maxDepth: 2, stringUnit: 'binary' }).map((text): unknown => JSON.parse(text))

const tool = fc.oneof(
  fc.dictionary(hostile, json, { maxKeys: 2 }),
  fc.record({
    type: fc.constant('function'),
    function: fc.record({
      name: hostile,
      description: hostile,
      parameters: fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(hostile, json, { maxKeys: 2 }),
      }),
    }),
  }),
)

const toolSaying = (description: string) => [
  { type: 'function', function: { name: 'look', description, parameters: { type: 'object' } } },
]

/** So few of the fields that most events pass the door: what is refused there reaches no backend. */
const few = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc
    .subarray(Object.keys(fields), { maxLength: 2 })
    .chain((names) =>
      fc.record(Object.fromEntries(names.map((name) => [name, fields[name] ?? fc.constant(undefined)]))),
    )

const some = hostile.filter((text) => text !== '')

const parameters = few({
  stop: fc.oneof(some, fc.array(some, { maxLength: 3 })),
  tools: fc.oneof(fc.array(tool, { maxLength: 2 }), hostile.map(toolSaying)),
  tool_choice: fc.oneof(
    fc.constantFrom('auto', 'none'),
    fc.record({ type: fc.constant('function'), function: fc.record({ name: hostile }) }),
    fc.anything({ withBigInt: true }),
  ),
  logit_bias: fc.dictionary(
    fc.oneof(hostile, fc.constantFrom('1', '42')),
    fc.double({ min: -100, max: 100, noNaN: true }),
    {
      maxKeys: 2,
    },
  ),
  seed: fc.oneof(fc.integer(), fc.double()),
  max_tokens: fc.integer({ min: -1, max: 8 }),
  temperature: fc.double({ min: 0, max: 5, noNaN: true }),
  top_k: fc.integer({ min: -1, max: 1_000_000 }),
  min_p: fc.double({ min: 0, max: 1, noNaN: true }),
  dry_sequence_breakers: fc.oneof(fc.array(hostile, { maxLength: 3 }), hostile),
  banned_strings: fc.array(hostile, { maxLength: 3 }),
  banned_tokens: fc.array(hostile, { maxLength: 3 }),
  sampler_order: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 6, maxLength: 7 }),
  grammar: hostile,
  chat_template_kwargs: fc.dictionary(hostile, json, { maxKeys: 2 }),
  mirostat: fc.integer({ min: 0, max: 2 }),
  response_format: fc.oneof(
    fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
    fc.record({ type: hostile, json_schema: json }),
  ),
})

const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const image = fc.record({
  type: fc.constant('image_url'),
  image_url: fc.record({
    url: fc.oneof(
      fc.constant(PIXEL),
      hostile,
      hostile.map((text) => `data:image/png;base64,${text}`),
    ),
    detail: hostile,
  }),
})

const part = fc.oneof(fc.record({ type: fc.constant('text'), text: hostile }), image)

const messages = fc.array(
  fc.record({
    role: fc.constantFrom('user', 'system', 'assistant', 'tool'),
    content: fc.oneof(hostile, fc.array(part, { maxLength: 3 })),
    name: hostile,
    tool_call_id: hostile,
  }),
  { maxLength: 3 },
)

/** What the answer must be; the texts in it go into a prompt, a grammar and a field of the request. */
const schema = fc.oneof(
  json,
  fc.record({
    type: fc.constant('object'),
    title: hostile,
    properties: fc.dictionary(
      hostile,
      fc.oneof(
        fc.record({ type: fc.constant('string'), description: hostile }),
        fc.record({ enum: fc.array(hostile, { minLength: 1, maxLength: 3 }) }),
        fc.record({ type: fc.constant('string'), pattern: hostile }),
        fc.record({ const: hostile }),
      ),
      { maxKeys: 3 },
    ),
    required: fc.array(hostile, { maxLength: 2 }),
  }),
)

const mostly = <Value>(usual: Value, odd: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd })

const BACKENDS = ['kobold', 'openai', 'picky'] as const

const event = fc
  .tuple(
    fc.record({
      content: fc.oneof(
        hostile.map((text) => `Why? ${text}`),
        fc.array(fc.oneof(hostile, part), { maxLength: 3 }),
        fc.record({ messages }),
        fc.record({ text: hostile, picture: image }).map(({ text, picture }) => ({
          messages: [{ role: 'user', content: [{ type: 'text', text: `Why? ${text}` }, picture] }],
        })),
      ),
      parameters,
      backend: fc.oneof(fc.constantFrom(...BACKENDS), mostly('picky', hostile)),
    }),
    few({
      id: hostile,
      model: fc.oneof(hostile, fc.constantFrom('default', 'simulator'), fc.constant('gone')),
      metadata: fc.dictionary(hostile, hostile, { maxKeys: 3 }),
      schema,
    }),
  )
  .map(([usual, more]): Readonly<Record<string, unknown>> => ({ ...usual, ...more }))

/** One of each kind of refusal comes first, whatever the seed. */
const REFUSED_ONES = [
  { content: 'Why?', model: 'gone' },
  { content: 'Why?', parameters: { response_format: { type: 'json_object' } } },
  { content: 'Why?', parameters: { tools: toolSaying('Looks') } },
  { content: 'Why?', parameters: { min_p: 0.1 } },
  {
    content: {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Why?' },
            { type: 'image_url', image_url: { url: PIXEL } },
          ],
        },
      ],
    },
  },
  { content: 'Say something violent.' },
].map((one): Readonly<Record<string, unknown>> => ({ ...one, backend: 'picky' }))

const backendsOf = ({ backends }: DeskReport) =>
  backends.map(({ name, state, breaker }) => ({ name, state, breaker }))

const WELL = BACKENDS.map((name) => ({ name, state: 'ready', breaker: 'closed' }))

/** Each of them still takes an event, at the first try. */
async function normalEvent(): Promise<void> {
  for (const backend of BACKENDS) {
    const normal = { content: 'Why?', backend, parameters: { max_tokens: 4 } }
    const outcome = await server.dispatcher.onEvent(normal)
    expect(outcome).toMatchObject({ completion: expect.any(String), attempts: [{ number: 1, waited_ms: 0 }] })
  }
}

async function stayedWell(): Promise<void> {
  expect(backendsOf(server.dispatcher.report())).toEqual(WELL)
  await normalEvent()
}

/** The backends answer or refuse whatever they are asked: nothing that a caller sends may look as if one of them had failed. */
const BLAMES_A_BACKEND = /^api_(connection|timeout|server|authentication|rate)/

test('in process: fields and headers of an event', { timeout }, async () => {
  const headers = fc.dictionary(headerName, hostile, { maxKeys: 4 })
  await fc.assert(
    fc.asyncProperty(event, headers, async (value, given) => {
      // A breaker opens at the third.
      for (let time = 0; time < 3; time++) {
        const outcome: Outcome = await server.dispatcher.onEvent(value as unknown, { headers: given })
        if (outcome.error !== undefined) expect(outcome.error).not.toMatch(BLAMES_A_BACKEND)
      }
      await stayedWell()
    }),
    { ...options, examples: REFUSED_ONES.map((one) => [one, {}]) },
  )
})

const latin = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 30,
})

interface Door {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly isStream?: boolean
}

const DOORS: readonly Door[] = [
  { path: '/event' },
  { path: '/event', headers: { accept: 'text/event-stream' } },
  { path: '/event', headers: { prefer: 'respond-async' } },
  { path: '/tickets' },
  { path: '/v1/chat/completions' },
  { path: '/v1/chat/completions', isStream: true },
  { path: '/v1/completions' },
  { path: '/v1/completions', isStream: true },
]

const asJson = (body: unknown) =>
  JSON.stringify(body, (_, one) => (typeof one === 'bigint' ? String(one) : one))

/** The same fields, as OpenAI names them. */
const completionOf = (
  value: Readonly<Record<string, unknown>>,
  {
    text,
    turns,
    isStream = false,
  }: {
    readonly text: string
    readonly turns: unknown
    readonly isStream?: boolean | undefined
  },
) => ({
  ...(value.parameters as object),
  ...{ model: value.model, messages: turns, prompt: text, suffix: text, user: text, stream: isStream },
  ...{ metadata: value.metadata },
})

test('over HTTP: whole, streamed, as a ticket, and in the dialect of OpenAI', { timeout }, async () => {
  const given = {
    door: fc.constantFrom(...DOORS),
    value: event,
    state: latin,
    text: hostile,
    turns: messages,
  }
  await fc.assert(
    fc.asyncProperty(fc.record(given), async ({ door, value, state, text, turns }) => {
      const { path, isStream } = door
      const isOpenAI = path.startsWith('/v1')
      const response = await fetch(`${base}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: TRACEPARENT,
          tracestate: state,
          ...door.headers,
        },
        body: asJson(isOpenAI ? completionOf(value, { text, turns, isStream }) : value),
      })
      await endsWithoutBlame(response)
    }),
    options,
  )
})

/** The reply, and the tickets that it tells of. */
async function endsWithoutBlame(response: Response): Promise<void> {
  const reply = await readReply(response)
  expect(reply).not.toMatch(/"(?:error|code|type)":\s*"api_(connection|timeout|server|authentication|rate)/)
  if (response.status === 202) {
    for (const [location] of reply.matchAll(/\/tickets\/tkt_[\w-]{36}(?=")/g)) await ticketEnds(location)
  }
  await stayedWell()
}

/** A stream that ends in failure breaks off behind it: what has arrived counts. */
async function readReply(response: Response): Promise<string> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  if (!isStream || response.body === null) return await response.text()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body) text += decoder.decode(bytes, { stream: true })
  } catch {
    expect(text).toMatch(/"error":/)
  }
  return text
}

async function ticketEnds(location: string): Promise<void> {
  const response = await fetch(`${base}${location}?wait=10s`)
  const ticket = (await response.json()) as { readonly outcome?: { readonly error?: string } }
  expect(ticket).toMatchObject({ status: expect.stringMatching(/completed|failed/) })
  expect(ticket.outcome?.error ?? '').not.toMatch(BLAMES_A_BACKEND)
}

const attributes = fc.record(
  {
    tracestate: hostile,
    traceparent: fc.oneof(fc.constant(TRACEPARENT), hostile),
    correlationid: hostile,
    subject: hostile,
  },
  { requiredKeys: ['tracestate'] },
)

let cloudEvents = 0
const envelope = () => {
  cloudEvents += 1
  return { id: `c${cloudEvents}`, source: '/fuzz', type: 't', specversion: '1.0' }
}

test('as CloudEvents, alone and in batches: attributes that travel on as headers', { timeout }, async () => {
  const cloudEvent = fc.record({ extensions: attributes, data: event })
  await fc.assert(
    fc.asyncProperty(
      fc.array(cloudEvent, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (list, isBatch) => {
        const all = list.map(({ extensions, data }) => ({
          ...{ traceparent: TRACEPARENT, ...extensions },
          ...{ ...envelope(), data },
        }))
        const response = await fetch(`${base}/event`, {
          method: 'POST',
          headers: { 'content-type': `application/cloudevents${isBatch ? '-batch' : ''}+json` },
          body: asJson(isBatch ? all : all[0]),
        })
        await endsWithoutBlame(response)
      },
    ),
    options,
  )
})

test('as a CloudEvent whose attributes are headers of the request', { timeout }, async () => {
  const given = { state: latin, subject: latin, data: event }
  await fc.assert(
    fc.asyncProperty(fc.record(given), async ({ state, subject, data }) => {
      const headers = Object.entries({ ...envelope(), traceparent: TRACEPARENT, tracestate: state, subject })
      const response = await fetch(`${base}/event`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...Object.fromEntries(headers.map(([name, value]) => [`ce-${name}`, value] as const)),
        },
        body: asJson(data),
      })
      await endsWithoutBlame(response)
    }),
    options,
  )
})

test('every kind of refusal was among them', () => {
  expect([...server.refused.keys()].sort()).toEqual(
    ['image', 'model', 'moderation', 'sampler', 'schema', 'tools'].sort(),
  )
})
