import { type KoboldVersion, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { clientOf } from './kobold-client.ts'

const done = { success: 'true', done: 'true' }
const remembered = { success: 'true', done: 'false' }
const refused = { success: 'false', done: 'false' }
const slow = { tokensPerSecond: 100, abortReplyMs: 0, answer: () => 'word '.repeat(500) }
const quick = { ...slow, answer: () => 'some words, twenty-four ' }
/** Six tokens that last, so that a busy machine can still ask while they come. */
const lasting = { ...quick, tokensPerSecond: 3 }

test.for<[KoboldVersion, number]>([
  ['1.115.1', 9],
  ['1.76', 6],
])('fact 21: %s runs one, lets %i wait and refuses the next at once', async ([version, room]) => {
  await using simulator = await startKoboldSimulator({ ...slow, version })
  const { generate, chat, perf, post } = clientOf(simulator)
  const all = Array.from({ length: room + 1 }, () => generate({}).catch(() => undefined))
  await simulator.waitFor(({ waiting }) => waiting === room)

  expect(await perf()).toMatchObject({ idle: 0, queue: room })
  const busy = await chat()
  expect([busy.status, JSON.parse(busy.text).detail.type]).toEqual([503, 'service_unavailable'])
  expect(busy.headers.get('retry-after')).toBeNull()
  expect((await post('/api/v1/nope', {})).status).toBe(503)
  expect(JSON.parse((await post('/api/extra/tokencount', { prompt: 'x' })).text).value).toBe(2)
  expect(simulator.maxRunning).toBe(1)
  await simulator.kill()
  await Promise.all(all)
})

test('fact 13: a 404, a 401 and a malformed body are answered only in turn', async () => {
  await using simulator = await startKoboldSimulator({ ...quick, password: 's3cret' })
  const { post } = clientOf(simulator)
  const order: string[] = []
  const headers = { authorization: 'Bearer s3cret' }
  const body = JSON.stringify({ prompt: 'x' })
  const first = fetch(`${simulator.url}/api/v1/generate`, { method: 'POST', headers, body }).then(() =>
    order.push('generation'),
  )
  await simulator.waitForCall()
  const unknown = post('/api/v1/nope', {}).then(({ status }) => order.push(String(status)))
  await simulator.waitFor(({ waiting }) => waiting === 1)
  const locked = post('/api/v1/generate', {}).then(({ status }) => order.push(String(status)))
  await Promise.all([first, unknown, locked])

  expect(order[0]).toBe('generation')
  expect(order.slice(1).sort()).toEqual(['401', '404'])
})

test('fact 22: a waiting stream gets no byte, not even the head, before its turn', async () => {
  await using simulator = await startKoboldSimulator(quick)
  const { generate, stream } = clientOf(simulator)
  const ends: string[] = []
  const first = generate({}).then(() => ends.push('first'))
  await simulator.waitForCall()
  const second = stream({}).then(() => ends.push('second'))
  await Promise.all([first, second])

  expect(ends).toEqual(['first', 'second'])
  const [one, two] = simulator.calls
  expect(two?.runningAt).toBeGreaterThanOrEqual(one?.endedAt ?? Number.POSITIVE_INFINITY)
})

test('fact 23: perf counts what ended and why', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  const { generate, perf } = clientOf(simulator)
  expect(await perf()).toMatchObject({ idle: 1, queue: 0, stop_reason: -1, total_gens: 0, last_seed: -1 })
  await generate({})
  expect(await perf()).toMatchObject({ stop_reason: 1, total_gens: 1 })
  await generate({ max_length: 3 })
  expect(await perf()).toMatchObject({ stop_reason: 0, total_gens: 2, last_token_count: 3 })
  await generate({ stop_sequence: ['simulator'] })
  expect(await perf()).toMatchObject({ stop_reason: 2, total_gens: 3 })
})

test('fact 24: with lockTailMs the model stays locked after an answer', async () => {
  const openWith = async (lockTailMs: number) => {
    const simulator = await startKoboldSimulator({ ...quick, lockTailMs })
    await clientOf(simulator).generate({})
    return simulator
  }
  await using locked = await openWith(3_600_000)
  expect(await clientOf(locked).perf()).toMatchObject({ idle: 0 })
  await using soonFree = await openWith(60)
  await soonFree.waitFor(({ generating }) => !generating)
  expect(performance.now() - Number(soonFree.calls[0]?.endedAt)).toBeGreaterThan(55)
})

test('facts 26 and 27: the right key stops a running call, which ends with the text so far', async () => {
  await using simulator = await startKoboldSimulator(slow)
  const { generate, abort, check } = clientOf(simulator)
  const answer = generate({ genkey: 'mine' })
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 3)

  expect(await abort('other')).toEqual(refused)
  expect(await check('other')).toBe('')
  expect((await check('mine')).length).toBeGreaterThanOrEqual(12)
  expect(await abort('mine')).toEqual(done)
  const { status, text } = await answer
  expect(status).toBe(200)
  expect(JSON.parse(text).results[0]).toMatchObject({ finish_reason: 'length' })
  expect(simulator.calls[0]).toMatchObject({ state: 'aborted', genkey: 'mine' })
  expect(simulator.aborts.map(({ genkey }) => genkey)).toEqual(['other', 'mine'])
})

test.for<KoboldVersion>(['1.76', '1.115.1'])(
  'fact 27: [%s] an aborted stream ends with an event of its own',
  async (version) => {
    await using simulator = await startKoboldSimulator({ ...slow, version })
    const { chat, abort } = clientOf(simulator)
    const answer = chat({ stream: true, genkey: 'mine' })
    await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 3)
    expect(await abort('mine')).toEqual(done)
    const { text } = await answer
    expect(text).toContain('"finish_reason": "length"')
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)
  },
)

test('fact 26: without a key whatever runs is aborted, unless somebody waits', async () => {
  await using simulator = await startKoboldSimulator(slow)
  const { generate, abort, check } = clientOf(simulator)
  expect(await abort()).toEqual(done)
  expect(await abort('unknown')).toEqual(refused)
  const first = generate({ genkey: 'first' })
  await simulator.waitForCall(1)
  expect(await check()).toBe('')
  expect(await abort()).toEqual(done)
  expect((await first).status).toBe(200)

  const second = generate({ genkey: 'second' })
  // Two connections may come in either order.
  await simulator.waitForCall(2)
  const third = generate({ genkey: 'third' })
  await simulator.waitFor(({ waiting }) => waiting === 1)
  expect(await abort()).toEqual(refused)
  await abort(simulator.calls[1]?.genkey)
  await simulator.waitFor(({ waiting }) => waiting === 0)
  await abort(simulator.calls[2]?.genkey)
  expect([(await second).status, (await third).status]).toEqual([200, 200])
})

test('fact 26: of the waiting calls only the last aborted key is remembered', async () => {
  await using simulator = await startKoboldSimulator(lasting)
  const { generate, abort } = clientOf(simulator)
  const send = async (genkey: string, n: number) => {
    const answer = generate({ genkey })
    await simulator.waitForCall(n)
    return { answer }
  }
  const a = await send('a', 1)
  const b = await send('b', 2)
  const c = await send('c', 3)
  expect(await abort('b')).toEqual(remembered)
  expect(await abort('c')).toEqual(remembered)
  await a.answer
  expect(JSON.parse((await b.answer).text).results[0].text).not.toBe('')
  expect(JSON.parse((await c.answer).text).results[0]).toMatchObject({ text: '', finish_reason: 'length' })
  expect(simulator.calls.map(({ state }) => state)).toEqual(['finished', 'finished', 'aborted'])
})

test('fact 28: a plain call goes on after its caller left, and its tokens are wasted', async () => {
  await using simulator = await startKoboldSimulator(lasting)
  const { generate } = clientOf(simulator)
  const leaving = new AbortController()
  const answer = generate({ genkey: 'gone' }, leaving.signal).catch(() => 'left')
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 2)
  leaving.abort()
  expect(await answer).toBe('left')
  await simulator.waitFor(({ generating }) => !generating)

  const [call] = simulator.calls
  expect(call).toMatchObject({ state: 'finished', tokensGenerated: 6 })
  expect(call?.clientGoneAt).toBeTypeOf('number')
  expect(simulator.wastedTokens).toBeGreaterThan(0)
})

test('fact 28: the remedy is an abort by key', async () => {
  await using simulator = await startKoboldSimulator(slow)
  const { generate, abort } = clientOf(simulator)
  const leaving = new AbortController()
  const answer = generate({ genkey: 'gone' }, leaving.signal).catch(() => 'left')
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 2)
  leaving.abort()
  await answer
  expect(await abort('gone')).toEqual(done)
  await simulator.waitFor(({ generating }) => !generating)
  expect(simulator.calls[0]?.tokensGenerated).toBeLessThan(500)
})

test.for<KoboldVersion>(['1.76', '1.115.1'])('fact 29: [%s] closing a stream stops it', async (version) => {
  await using simulator = await startKoboldSimulator({ ...slow, version })
  const leaving = new AbortController()
  const answer = clientOf(simulator)
    .stream({}, leaving.signal)
    .catch(() => 'left')
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 2)
  leaving.abort()
  await answer
  await simulator.waitFor(({ generating }) => !generating)
  expect(simulator.calls[0]).toMatchObject({ state: 'dropped' })
})

test('fact 29: a waiting stream whose caller left is started and then stopped', async () => {
  await using simulator = await startKoboldSimulator({ ...slow, hangUpNoticeMs: 30 })
  const { generate, stream, abort } = clientOf(simulator)
  const first = generate({ genkey: 'first' })
  await simulator.waitForCall(1)
  const leaving = new AbortController()
  const second = stream({}, leaving.signal).catch(() => 'left')
  await simulator.waitForCall(2)
  leaving.abort()
  await second
  await simulator.waitFor(({ calls }) => calls[1]?.clientGoneAt !== undefined)
  await abort('first')
  await first
  await simulator.waitFor(({ calls }) => calls[1]?.state === 'dropped')
  expect(simulator.generating).toBe(false)
})

test('fact 30: when nothing runs, check tells the last text', async () => {
  await using simulator = await startKoboldSimulator(quick)
  const { generate, check } = clientOf(simulator)
  await generate({})
  expect(await check()).toBe('some words, twenty-four ')
  expect(await check('nobody')).toBe('')
})

test('fact 31: with several at a time an abort says yes and stops nothing', async () => {
  await using simulator = await startKoboldSimulator({ ...lasting, concurrency: 2 })
  const { generate, abort } = clientOf(simulator)
  const both = [generate({ genkey: 'a' }), generate({ genkey: 'b' })]
  await simulator.waitFor(({ maxRunning }) => maxRunning === 2)
  expect(await abort('a')).toEqual(done)
  await Promise.all(both)
  expect(simulator.calls.map(({ state }) => state)).toEqual(['finished', 'finished'])
})

test('facts 46 to 48: a killed server cuts everything and comes back on the same port', async () => {
  await using simulator = await startKoboldSimulator({ ...slow, streamOverheadMs: 0 })
  const { generate, stream, perf } = clientOf(simulator)
  const streamed = stream({})
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) >= 3)
  const plain = generate({}).then(
    () => 'answered',
    () => 'failed',
  )
  await simulator.waitForCall(2)
  await simulator.kill()

  expect((await streamed).text).not.toContain('"length"')
  expect(await plain).toBe('failed')
  expect(simulator.calls.map(({ state }) => state)).toEqual(['dropped', 'dropped'])
  await expect(perf()).rejects.toThrow('fetch failed')
  await simulator.startListening()
  expect(await perf()).toMatchObject({ idle: 1 })
})

test('fact 47: the port is closed while a model loads', async () => {
  await using simulator = await startKoboldSimulator({ loadingMs: 80 })
  const { perf } = clientOf(simulator)
  await expect(perf()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  await expect.poll(() => perf().catch(() => ({}))).toMatchObject({ idle: 1 })
  await simulator.loadModel('koboldcpp/other', 0)
  const model = await (await fetch(`${simulator.url}/api/v1/model`)).json()
  expect(model).toEqual({ result: 'koboldcpp/other' })
})

test('a hundred hang-ups leave no connection open', async () => {
  await using simulator = await startKoboldSimulator({ ...slow, hangUpNoticeMs: 5, waitingRoom: 100 })
  const { stream } = clientOf(simulator)
  const leaving = new AbortController()
  const answers = Array.from({ length: 100 }, () => stream({}, leaving.signal).catch(() => 'left'))
  await simulator.waitForCall(100)
  leaving.abort()
  await Promise.all(answers)
  await simulator.waitFor(({ generating, openConnections }) => !generating && openConnections === 0)
  expect(simulator.calls.every(({ state }) => state === 'dropped')).toBe(true)
})

test('every call is told as it comes in and once as it has ended, kept or not', async () => {
  const told: string[] = []
  await using simulator = await startKoboldSimulator({
    ...slow,
    recordCalls: false,
    onCall: ({ id }) => told.push(`${id} came`),
    onCallEnd: ({ id, state }) => told.push(`${id} ${state}`),
  })
  const { chat, generate, post } = clientOf(simulator)
  const running = generate({ genkey: 'one' })
  await simulator.waitFor(({ generating }) => generating)
  await post('/api/extra/abort', { genkey: 'one' })
  await running
  await simulator.setFaults([{ fault: 'busy', times: 1 }])
  await chat()
  const killed = generate({}).catch(() => undefined)
  await simulator.waitFor(({ generating }) => generating)
  await simulator.kill()
  await killed

  expect(told).toEqual(['1 came', '1 aborted', '2 came', '2 finished', '3 came', '3 dropped'])
  expect(simulator.calls).toEqual([])
})
