import { expect, test } from 'vitest'
import { CallerGone } from '../src/answer/answer-event.ts'
import { fakeDispatcher, SUCCESS, untilAborted } from './fake-dispatcher.ts'
import { openServer, openSocket, postEvent, readUntil } from './open-server.ts'

const EVENT = { content: 'Hi' }
const ASK_FOR_STREAM = { accept: 'text/event-stream' }

test('a caller that hangs up while waiting for a plain answer aborts the event', async () => {
  const arrived = Promise.withResolvers<AbortSignal>()
  const dispatcher = fakeDispatcher({
    onEvent(_event, { signal } = {}) {
      if (signal !== undefined) arrived.resolve(signal)
      return untilAborted(signal)
    },
  })
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  socket.write(postEvent(EVENT))
  const signal = await arrived.promise
  expect(signal.aborted).toBe(false)
  socket.destroy()
  await expect(untilAborted(signal)).rejects.toBeInstanceOf(CallerGone)
})

test('a caller that closes its side politely aborts the event too', async () => {
  const arrived = Promise.withResolvers<AbortSignal>()
  const dispatcher = fakeDispatcher({
    onEvent(_event, { signal } = {}) {
      if (signal !== undefined) arrived.resolve(signal)
      return untilAborted(signal)
    },
  })
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  socket.write(postEvent(EVENT))
  const signal = await arrived.promise
  socket.end()
  await expect(untilAborted(signal)).rejects.toBeInstanceOf(CallerGone)
})

test.each([
  ['before the first delta', 0],
  ['between deltas', 2],
])('a caller that hangs up %s of a stream ends it', async (_when, deltas) => {
  const left = Promise.withResolvers<unknown>()
  const dispatcher = fakeDispatcher({
    async *streamEvent(_event, { signal } = {}) {
      try {
        yield { type: 'admitted', id: 'evt_1' }
        for (let count = 0; count < deltas; count += 1) yield { type: 'delta', text: 'word' }
        await untilAborted(signal)
      } finally {
        left.resolve(signal?.reason)
      }
    },
  })
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  await readUntil(socket, deltas === 0 ? '\r\n\r\n' : 'word')
  socket.destroy()
  expect(await left.promise).toBeInstanceOf(CallerGone)
})

test('an answer that was sent aborts nothing, and the connection serves the next event', async () => {
  const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  for (const _ of [1, 2]) {
    const answer = readUntil(socket, '"attempts":[]}')
    socket.write(postEvent(EVENT))
    await answer
  }
  socket.destroy()
  await using other = await openServer({ dispatcher })
  await fetch(`${other.url}/livez`)
  expect(dispatcher.calls.map(({ options }) => options.signal?.aborted)).toEqual([false, false])
})

test('200 hang-ups leave no connection behind', async () => {
  const dispatcher = fakeDispatcher({ onEvent: (_event, { signal } = {}) => untilAborted(signal) })
  await using desk = await openServer({ dispatcher })
  const aborted = () => dispatcher.calls.filter(({ options }) => options.signal?.aborted).length
  for (let count = 1; count <= 200; count += 1) {
    const socket = await openSocket(desk.port)
    socket.write(postEvent(EVENT))
    await expect.poll(() => dispatcher.calls.length, { interval: 1 }).toBe(count)
    socket.destroy()
  }
  await expect.poll(aborted).toBe(200)
  const connections = await new Promise((resolve) => {
    desk.server.server.getConnections((_error, count) => resolve(count))
  })
  expect(connections).toBe(0)
})
