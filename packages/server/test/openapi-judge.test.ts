import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createMetrics } from '../src/metrics/create-metrics.ts'
import { failureOutcome, fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'
import { checkResponse, judged } from './openapi-judge.ts'

const DONE = { type: 'done', outcome: SUCCESS } as const
const dispatcher = fakeDispatcher({
  onEvent: async () => SUCCESS,
  streamEvent: () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'delta', text: 'Hello.' }, DONE),
})

const CHAT = { messages: [{ role: 'user', content: 'Hi' }] }

test('the judge sees every response, and the events of every stream', async () => {
  const before = { ...judged }
  await using server = createServer({ dispatcher, metrics: await createMetrics() })
  const gets = [
    '/health',
    '/livez',
    '/readyz',
    '/backends',
    '/metrics',
    '/openapi.json',
    '/v1/models',
    '/v1/models/default',
  ]
  const posts = [
    { url: '/event', payload: { content: 'Hi' } },
    { url: '/v1/chat/completions', payload: CHAT },
    { url: '/v1/completions', payload: { prompt: 'Hi' } },
  ]
  const streams = [
    { ...posts[0], headers: { accept: 'text/event-stream' } },
    ...posts.slice(1).map(({ url, payload }) => ({ url, payload: { ...payload, stream: true } })),
  ]
  for (const url of gets) await server.inject(url)
  for (const request of [...posts, ...streams]) await server.inject({ method: 'POST', ...request })
  for (const url of ['/nowhere', '/v1/nowhere', '/event']) await server.inject(url)
  expect(judged.responses - before.responses).toBe(17)
  expect(judged.events - before.events).toBe(2 + 4 + 3)
  const addresses = [...judged.operations].map((operation) => operation.split(' ')[1])
  expect(new Set(addresses)).toEqual(
    new Set([...gets.slice(0, -1), '/v1/models/{model}', ...posts.map(({ url }) => url)]),
  )
})

const JSON_HEADERS = { 'content-type': 'application/json', 'x-request-id': 'r' }
const GOOD = {
  method: 'POST',
  path: '/event?x=1',
  status: 200,
  headers: JSON_HEADERS,
  body: JSON.stringify(SUCCESS),
}
const CAPACITY = failureOutcome('capacity_exceeded')

test.each([
  ['an outcome', {}],
  ['headers of a fetch', { headers: new Headers(JSON_HEADERS) }],
  [
    'a failed outcome',
    { status: 503, headers: { ...JSON_HEADERS, 'retry-after': '1' }, body: JSON.stringify(CAPACITY) },
  ],
  ['an unknown address', { path: '/nowhere', status: 404, body: '{"error":"not_found","details":"No."}' }],
  [
    'a model with a slash',
    { method: 'GET', path: '/v1/models/a/b', status: 404, body: openAiError('model_not_found') },
  ],
])('the judge lets %s pass', (_what, more) => {
  expect(() => checkResponse({ ...GOOD, ...more })).not.toThrow()
})

function openAiError(code: string): string {
  return JSON.stringify({ error: { message: 'No.', type: 'invalid_request_error', param: null, code } })
}

test.each([
  ['a status that is not described', { status: 418 }, /status is not among 200/],
  [
    'a type that is not described',
    { headers: { ...JSON_HEADERS, 'content-type': 'text/html' } },
    /type text\/html/,
  ],
  [
    'a header that is missing',
    { headers: { 'content-type': 'application/json' } },
    /X-Request-Id is missing/,
  ],
  [
    'a field too many',
    { body: JSON.stringify({ ...SUCCESS, extra: 1 }) },
    /Property "extra" does not match additional/,
  ],
  [
    'a field of another type',
    { body: JSON.stringify({ ...SUCCESS, completion: 7 }) },
    /#\/completion: Instance type "number"/,
  ],
  ['no JSON', { body: '<html>' }, /Expected "object"/],
  [
    'a code at the wrong status',
    { status: 400, body: JSON.stringify(CAPACITY) },
    /#\/error: Instance does not match any of/,
  ],
  [
    'a stray code at the wrong status',
    { path: '/x', status: 404, body: JSON.stringify({ error: 'gone', details: '' }) },
    /is 410/,
  ],
  ['an address that nothing describes', { path: '/x' }, /no such operation/],
  [
    'a stack in an error',
    { path: '/x', status: 404, body: '{"error":"not_found","details":"","stack":""}' },
    /stack/,
  ],
  [
    "OpenAI's words for others",
    { status: 404, body: openAiError('not_found') },
    /#\/error: Instance type "object"/,
  ],
  ['an unknown event of a stream', stream('event: wonder\ndata: {}\n\n'), /an event wonder/],
  [
    'a wrong event of a stream',
    stream('event: delta\ndata: {"text":7}\n\n'),
    /delta: #\/text: Instance type "number"/,
  ],
])('the judge refuses %s', (_what, more, problem) => {
  expect(() => checkResponse({ ...GOOD, ...more })).toThrow(problem)
})

function stream(body: string) {
  return { headers: { ...JSON_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' }, body }
}

/** Servers whose responses nobody sees: other processes, and apps that are not ours. */
const UNJUDGED = ['packages/server/test/judged-server.ts', 'packages/tickets/test/ledger-server.ts']

test('every server that tests open is judged', () => {
  const root = new URL('../../../', import.meta.url)
  const files = [
    'packages/server/src',
    'packages/server/test',
    'packages/tickets/src',
    'packages/tickets/test',
  ].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name}`,
    ),
  )
  const tests = files.filter((file) => /\.test\.ts$|\/test\/.*\.ts$/.test(file))
  expect(tests.length).toBeGreaterThan(60)
  const unjudged = tests.filter((file) => {
    const text = readFileSync(new URL(file, root), 'utf8')
    const opens = /create-server\.ts'|createServer[^']*from '@ai-ticket\/http-server'/.test(text)
    return opens && !text.includes('judgeResponses(createServer(')
  })
  expect(unjudged).toEqual(UNJUDGED)
})
