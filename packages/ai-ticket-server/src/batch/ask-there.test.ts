import { expect, test } from 'vitest'
import { askThere } from './ask-there.ts'

const OUTCOME = { completion: 'Because.', id: 'evt_1' }

/** A server that gives these replies, one after the other. */
function serverOf(...replies: (Response | Error)[]) {
  const asked: string[] = []
  const send = async (address: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const key = new Headers(init.headers).get('idempotency-key')
    asked.push(`${init.method ?? 'GET'} ${String(address)}${key === null ? '' : ` ${key}`}`)
    const reply = replies.shift()
    if (reply instanceof Response) return reply
    throw reply ?? new Error('nothing left to say')
  }
  const ask = askThere({ url: 'http://desk', apiKey: 'secret', fetch: send })
  return { asked, answer: () => ask({ content: 'Why?', id: 'mine' }, () => 'key-1') }
}

const json = (status: number, body: object, headers = {}) => Response.json(body, { status, headers })

test('sends a ticket under its key, and waits as long as it takes', async () => {
  const waiting = { id: 'tkt_1', status: 'queued' }
  const done = { id: 'tkt_1', status: 'completed', outcome: OUTCOME }
  const { asked, answer } = serverOf(json(202, waiting), json(200, waiting), json(200, done))
  expect(await answer()).toEqual({ type: 'final', outcome: OUTCOME })
  const wait = 'GET http://desk/tickets/tkt_1?wait=30s'
  expect(asked).toEqual(['POST http://desk/tickets key-1', wait, wait])
})

test('what it answers keeps the digits of long numbers', async () => {
  const outcome = '{"completion":"Because.","metadata":{"order":1187654321098765433}}'
  const { answer } = serverOf(new Response(`{"id":"tkt_1","outcome":${outcome}}`, { status: 200 }))
  expect(JSON.stringify(await answer())).toBe(`{"type":"final","outcome":${outcome}}`)
})

const AWAY = { type: 'again', isAway: true, outcome: { error: 'api_connection_error' } }

test.each([
  ['nobody is there', [new TypeError('fetch failed')], AWAY],
  ['it goes away while it runs', [json(202, { id: 'tkt_1' }), new TypeError('cut')], AWAY],
  ['the ticket was removed', [json(202, { id: 'tkt_1' }), json(404, { error: 'not_found' })], AWAY],
  ['a proxy speaks for it', [new Response('<html>', { status: 502 })], AWAY],
  ['its reply is no object', [new Response('null')], AWAY],
  [
    'it has no room',
    [json(503, { error: 'capacity_exceeded', details: 'Full.' }, { 'retry-after': '7' })],
    { type: 'again', isAway: true, outcome: { error: 'capacity_exceeded', retry_after_ms: 7_000 } },
  ],
  [
    'it has no room for centuries',
    [json(503, { error: 'capacity_exceeded', details: 'Full.' }, { 'retry-after': '9999999999999' })],
    { type: 'again', isAway: true, outcome: { error: 'capacity_exceeded', retry_after_ms: 3_600_000 } },
  ],
  [
    'the event is wrong',
    [json(400, { error: 'invalid_input_format', details: 'No.' })],
    { type: 'final', outcome: { error: 'invalid_input_format', details: 'No.', id: 'mine', attempts: [] } },
  ],
  ['the key is wrong', [json(401, { error: 'unauthorised' })], { type: 'hopeless', reason: 'no_permission' }],
  ['it is another server', [json(404, { detail: 'Not Found' })], { type: 'hopeless', reason: 'unavailable' }],
  [
    'it is a server that says yes to everything',
    [json(200, {})],
    { type: 'hopeless', reason: 'unavailable' },
  ],
])('says what to do when %s', async (_what, replies, expected) => {
  expect(await serverOf(...replies).answer()).toMatchObject(expected)
})
