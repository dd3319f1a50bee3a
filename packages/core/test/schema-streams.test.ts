import { setTimeout } from 'node:timers/promises'
import { createKoboldBackend, type StreamEvent } from '@ai-ticket/core'
import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'
import { END, part, rawDesk, streamed } from './raw-desk.ts'

const schema = v.object({ title: v.string(), count: v.number(), tags: v.array(v.string()) })
const DATA = { title: 'A long title of many words', count: 1234, tags: ['one', 'two', 'three'] }
const RIGHT = JSON.stringify(DATA)

async function openDesk(options: KoboldSimulatorOptions) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: 400, ignoreSchema: true, ...options })
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }))
}

async function collect<Data>(stream: AsyncIterable<StreamEvent<Data>>) {
  const events: StreamEvent<Data>[] = []
  for await (const event of stream) events.push(event)
  const partials = events.flatMap((event) => (event.type === 'partial' ? [event.data as typeof DATA] : []))
  return { events, partials, last: events.at(-1) }
}

/** Each says something new: a word, a number that has ended, one more of a list. */
const PIECES = [
  '{"title":"A long',
  ' title of many',
  ' words","count":1234,',
  '"tags":["one","tw',
  'o","three"]}',
]

test('partial objects grow, then come the validated one and no deltas', async () => {
  const handedOn = PIECES.map(() => Promise.withResolvers<void>())
  // A piece comes when the one before it was handed on and the next partial is due, however busy the machine is.
  await using desk = await rawDesk('openai', async (socket) => {
    socket.write(streamed())
    for (const [index, content] of PIECES.entries()) {
      socket.write(part({ content }))
      await handedOn[index]?.promise
      await setTimeout(110)
    }
    socket.end(part({}, 'stop') + END)
  })
  const events: StreamEvent<typeof DATA>[] = []
  const partials: (typeof DATA)[] = []
  for await (const event of desk.dispatcher.streamEvent({ content: 'x' }, { schema })) {
    events.push(event)
    if (event.type !== 'partial') continue
    handedOn[partials.length]?.resolve()
    partials.push(event.data as typeof DATA)
  }
  const last = events.at(-1)
  expect(last).toMatchObject({ type: 'done', outcome: { data: DATA, completion: RIGHT } })
  expect(events.some(({ type }) => type === 'delta')).toBe(false)
  expect(partials.length).toBeGreaterThan(3)
  expect(partials.at(-1)).toEqual(DATA)
  const lengths = partials.map((data) => JSON.stringify(data).length)
  expect(lengths).toEqual(lengths.toSorted((a, b) => a - b))
  for (const { title = '', count } of partials) {
    expect(DATA.title.startsWith(title)).toBe(true)
    // A number is given whole: half of it is another number.
    expect(count === undefined || count === DATA.count).toBe(true)
  }
})

test('each partial is a copy of its own', async () => {
  const seen = Promise.withResolvers<void>()
  // The second half comes only when the first one was handed on, however busy the machine is.
  await using desk = await rawDesk('openai', async (socket) => {
    socket.write(streamed(part({ content: RIGHT.slice(0, 20) })))
    await seen.promise
    socket.end(part({ content: RIGHT.slice(20) }) + part({}, 'stop') + END)
  })
  const partials: unknown[] = []
  for await (const event of desk.dispatcher.streamEvent({ content: 'x' }, { schema })) {
    if (event.type !== 'partial') continue
    partials.push(event.data)
    seen.resolve()
  }
  expect(new Set(partials).size).toBe(partials.length)
  expect(partials[0]).not.toEqual(partials.at(-1))
})

test('prose and a fence before the JSON are no partial', async () => {
  const answer = () => `Sure, here it is:\n\`\`\`json\n${RIGHT}\n\`\`\`\nDone.`
  await using desk = await openDesk({ answer })
  const { partials, last } = await collect(desk.dispatcher.streamEvent({ content: 'x' }, { schema }))
  expect(partials.at(-1)).toEqual(DATA)
  expect(last).toMatchObject({ type: 'done', outcome: { data: DATA } })
})

test('a repaired answer starts anew', async () => {
  const answers = ['{"title":"Half","count":"many"}', RIGHT]
  await using desk = await openDesk({ answer: () => answers.shift() ?? '' })
  const { partials, last } = await collect(desk.dispatcher.streamEvent({ content: 'x' }, { schema }))
  expect(partials).toContainEqual({ title: 'Half', count: 'many' })
  expect(partials.at(-1)).toEqual(DATA)
  expect(last).toMatchObject({ type: 'done', outcome: { schema: { enforced_by: 'repair', repairs: 1 } } })
})

test('an answer that breaks off is asked for again: nothing was handed on that cannot be taken back', async () => {
  await using desk = await openDesk({ answer: () => RIGHT, faults: [{ fault: 'cut_stream', times: 1 }] })
  const { last } = await collect(desk.dispatcher.streamEvent({ content: 'x' }, { schema }))
  expect(last).toMatchObject({
    type: 'done',
    outcome: { data: DATA, attempts: [{ result: 'api_stream_interrupted' }, { result: 'completed' }] },
  })
})

test('the schema of an event streams its partials, too', async () => {
  await using desk = await openDesk({ answer: () => RIGHT })
  const event = { content: 'x', schema: { type: 'object', required: ['title'] } }
  const { partials, last } = await collect(desk.dispatcher.streamEvent(event))
  expect(partials.at(-1)).toEqual(DATA)
  expect(last).toMatchObject({ type: 'done', outcome: { data: DATA } })
})

test('a reader that leaves stops the generation', async () => {
  await using desk = await openDesk({ answer: () => `{"title":"${'word '.repeat(400)}"}` })
  for await (const event of desk.dispatcher.streamEvent({ content: 'x' }, { schema })) {
    if (event.type === 'partial') break
  }
  await desk.simulator.waitFor(({ calls }) => calls[0]?.state !== 'running')
  expect(desk.simulator.calls[0]?.state).toBe('aborted')
})

test('JSON with a fault stops the partials, not the answer', async () => {
  await using desk = await openDesk({ answer: () => `{title: ${RIGHT.slice('{"title":'.length)}` })
  const { last } = await collect(desk.dispatcher.streamEvent({ content: 'x' }, { schema }))
  expect(last).toMatchObject({ type: 'done', outcome: { data: DATA, schema: { mended: true } } })
})
