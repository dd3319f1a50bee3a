import { setTimeout as delay } from 'node:timers/promises'
import type { StreamEvent } from '@ai-ticket/core'
import { APIError } from 'openai'
import { expect, test } from 'vitest'
import { failureOutcome, fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { handClock } from './hand-clock.ts'
import { createServer } from './judged-server.ts'
import { openServer } from './open-server.ts'
import { clientOf, collect, HI } from './openai-clients.ts'

/** Streams what the test says, when it says so. */
function handFed() {
  const waiting = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<StreamEvent[]>()
  const streamEvent = async function* (): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    waiting.resolve()
    yield* await goOn.promise
  }
  return { dispatcher: fakeDispatcher({ streamEvent }), waiting: waiting.promise, goOn: goOn.resolve }
}

test('a stream sends its head after 15 s without text, and pings, and then the answer', async () => {
  const clock = handClock()
  const { dispatcher, waiting, goOn } = handFed()
  await using desk = await openServer({ dispatcher, clock })
  const reply = clientOf({ baseURL: `${desk.url}/v1` })
    .chat.completions.create({ ...HI, stream: true })
    .withResponse()
  await waiting
  await expect.poll(() => clock.delays).toEqual([15_000])
  clock.fire()
  const { data, response } = await reply
  expect(response.status).toBe(200)
  expect(clock.delays).toEqual([15_000])
  clock.fire()
  goOn([
    { type: 'delta', text: 'Hello.' },
    { type: 'done', outcome: SUCCESS },
  ])
  const chunks = await collect(data)
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Hello.')
  expect(clock.delays).toEqual([])
})

test('a failure after that head is an error, and the stream breaks off', async () => {
  const clock = handClock()
  const { dispatcher, waiting, goOn } = handFed()
  await using desk = await openServer({ dispatcher, clock })
  const asking = fetch(`${desk.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...HI, stream: true }),
  })
  await waiting
  await expect.poll(() => clock.delays).toEqual([15_000])
  clock.fire()
  const reply = await asking
  goOn([{ type: 'error', outcome: failureOutcome('api_timeout') }])
  let text = ''
  const reading = (async () => {
    for await (const chunk of reply.body ?? []) text += Buffer.from(chunk).toString()
  })()
  await expect(reading).rejects.toThrow('terminated')
  expect(text).toContain('"code":"api_timeout"')
  expect(text).not.toContain('[DONE]')
})

test('the clients throw what the error says', async () => {
  const clock = handClock()
  const { dispatcher, waiting, goOn } = handFed()
  await using desk = await openServer({ dispatcher, clock })
  const asking = clientOf({ baseURL: `${desk.url}/v1` }).chat.completions.create({ ...HI, stream: true })
  await waiting
  await expect.poll(() => clock.delays).toEqual([15_000])
  clock.fire()
  const stream = await asking
  goOn([{ type: 'error', outcome: failureOutcome('api_timeout') }])
  const error = await collect(stream).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(APIError)
  expect(error).toMatchObject({ code: 'api_timeout' })
})

test('a stream that answers in time has no head before its text, and no timer is left', async () => {
  const clock = handClock()
  const dispatcher = fakeDispatcher({
    streamEvent: () => streamOf({ type: 'error', outcome: failureOutcome('api_timeout') }),
  })
  await using server = createServer({ dispatcher, clock })
  const reply = await server.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    payload: { ...HI, stream: true },
  })
  expect(reply.statusCode).toBe(504)
  await delay(0)
  expect(clock.delays).toEqual([])
})
