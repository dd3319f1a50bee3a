import { expect, test } from 'vitest'
import { koboldDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'

/** It writes for 20 s. */
const SLOW = {
  simulator: { tokensPerSecond: 20, answer: () => 'one '.repeat(400) },
  server: { apiKeys: ['one', 'two'] },
}
const LONG = { prompt: 'Once upon a time', max_length: 400 }

/** A client with a key of its own. */
function clientOf(url: string, apiKey: string) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` }
  const post = async (path: string, body: unknown, signal: AbortSignal | null = null) => {
    const reply = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal })
    return reply
  }
  return {
    post,
    generate: async (body: object) => (await post('/api/v1/generate', { ...LONG, ...body })).json(),
    abort: async (body: object = {}) => (await post('/api/extra/abort', body)).json(),
    check: async (genkey: string) =>
      ((await (await post('/api/extra/generate/check', { genkey })).json()) as Texts).results[0]?.text,
    perf: async () => (await fetch(`${url}/api/extra/perf`, { headers })).json() as Promise<Perf>,
  }
}

interface Texts {
  readonly results: readonly { readonly text: string; readonly finish_reason?: string }[]
}

interface Perf {
  readonly idle: number
  readonly queue: number
}

const DONE = { success: 'true', done: 'true' }
const UNKNOWN = { success: 'false', done: 'false' }

test('two callers with one genkey neither stop nor read each other', async () => {
  await using door = await openDoor(koboldDoor, { ...SLOW, backend: { concurrency: 2 } })
  const [one, two] = ['one', 'two'].map((key) => clientOf(door.url, key))
  const first = one?.generate({ genkey: 'KCPP1234' })
  await expect.poll(() => one?.check('KCPP1234')).not.toBe('')
  expect(await two?.check('KCPP1234')).toBe('')
  expect(await two?.abort({ genkey: 'KCPP1234' })).toEqual(UNKNOWN)
  expect(await two?.abort()).toEqual(DONE)
  expect(door.simulator.generating).toBe(true)
  expect(await one?.abort({ genkey: 'KCPP1234' })).toEqual(DONE)
  const { results } = (await first) as Texts
  expect(results[0]).toMatchObject({ finish_reason: 'length', text: expect.stringMatching(/./) })
  await door.simulator.waitFor(({ generating }) => !generating)
})

test('an aborted call ends with the text so far, which is kept for its caller', async () => {
  await using door = await openDoor(koboldDoor, SLOW)
  const one = clientOf(door.url, 'one')
  const running = one.generate({ genkey: 'a' })
  await expect.poll(() => one.check('a')).not.toBe('')
  await one.abort({ genkey: 'a' })
  const { results } = (await running) as Texts
  expect(await one.check('a')).toBe(results[0]?.text)
  expect(await clientOf(door.url, 'two').check('a')).toBe('')
  expect(await one.check('b')).toBe('')
})

test('an aborted stream ends with its last event', async () => {
  await using door = await openDoor(koboldDoor, SLOW)
  const one = clientOf(door.url, 'one')
  const reply = await one.post('/api/extra/generate/stream', { ...LONG, genkey: 'a' })
  await expect.poll(() => one.check('a')).not.toBe('')
  expect(await one.abort({ genkey: 'a' })).toEqual(DONE)
  expect((await reply.text()).endsWith('data: {"token":"","finish_reason":"length"}\n\n')).toBe(true)
  await door.simulator.waitFor(({ generating }) => !generating)
})

test('an aborted call that waits never reaches a backend', async () => {
  await using door = await openDoor(koboldDoor, SLOW)
  const one = clientOf(door.url, 'one')
  const running = one.generate({ genkey: 'a' })
  await expect.poll(async () => door.simulator.generating).toBe(true)
  const waiting = one.generate({ genkey: 'b' })
  await expect.poll(async () => (await one.perf()).queue).toBe(1)
  expect(await one.abort({ genkey: 'b' })).toEqual(DONE)
  expect(await waiting).toMatchObject({ results: [{ text: '', finish_reason: 'length' }] })
  await one.abort({ genkey: 'a' })
  await running
  expect(door.simulator.calls).toHaveLength(1)
})

test.each(['/api/v1/generate', '/v1/completions'])(
  'an abort without a key stops what its caller has without one at %s, and leaves keyed ones alone',
  async (path) => {
    await using door = await openDoor(koboldDoor, { ...SLOW, backend: { concurrency: 3 } })
    const [one, two] = ['one', 'two'].map((key) => clientOf(door.url, key))
    const body = path.startsWith('/v1') ? { prompt: 'Once upon a time', max_tokens: 400 } : LONG
    const keyless = one?.post(path, body)
    const keyed = one?.generate({ genkey: 'a' })
    const others = two?.generate({})
    await expect.poll(() => door.dispatcher.report().backends[0]?.in_flight).toBe(3)
    expect(await one?.abort()).toEqual(DONE)
    expect((await keyless)?.status).toBe(path.startsWith('/v1') ? 499 : 200)
    await expect.poll(() => door.dispatcher.report().backends[0]?.in_flight).toBe(2)
    await Promise.all([one?.abort({ genkey: 'a' }), two?.abort()])
    await Promise.all([keyed, others])
  },
)

test('a caller who hangs up stops the generation', async () => {
  await using door = await openDoor(koboldDoor, SLOW)
  const one = clientOf(door.url, 'one')
  const leaving = new AbortController()
  const asked = one.post('/api/v1/generate', { ...LONG, genkey: 'a' }, leaving.signal).catch(() => 'left')
  await expect.poll(() => one.check('a')).not.toBe('')
  leaving.abort()
  expect(await asked).toBe('left')
  await door.simulator.waitFor(({ generating }) => !generating)
})

test('perf: idle is for who has nothing under way, and only with a free slot', async () => {
  await using door = await openDoor(koboldDoor, { ...SLOW, backend: { concurrency: 2 } })
  const [one, two] = ['one', 'two'].map((key) => clientOf(door.url, key))
  expect(await one?.perf()).toMatchObject({ idle: 1, queue: 0, total_gens: 0, stop_reason: -1 })
  const running = one?.generate({ genkey: 'a' })
  await expect.poll(async () => (await one?.perf())?.idle).toBe(0)
  expect(await two?.perf()).toMatchObject({ idle: 1 })
  await one?.abort({ genkey: 'a' })
  await running
  await two?.generate({ max_length: 8 })
  expect(await two?.perf()).toMatchObject({ idle: 1, total_gens: 2, last_token_count: 8, stop_reason: 0 })
  expect((await fetch(`${door.url}/api/extra/perf`)).status).toBe(401)
})
