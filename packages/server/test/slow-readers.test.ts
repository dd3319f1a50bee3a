import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { endlessStream, fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, openSocket, postEvent, readUntil } from './open-server.ts'

const MIB = 1_024 * 1_024
const LARGE = { ...SUCCESS, completion: 'x'.repeat(8 * MIB) }

/** Asks, takes in what came until now, and reads no further. */
async function askAndStop(port: number, headers: Record<string, string> = {}): Promise<Socket> {
  const socket = await openSocket(port)
  socket.on('error', () => {})
  socket.pause()
  socket.write(postEvent({ content: 'x' }, headers))
  return socket
}

const closed = (socket: Socket) => once(socket.resume(), 'close')

async function openConnections(server: {
  getConnections(done: (error: unknown, count: number) => void): void
}) {
  return new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)))
}

test('a connection that takes nothing of its whole answer is closed', async () => {
  const dispatcher = fakeDispatcher({ onEvent: async () => LARGE })
  await using desk = await openServer({ dispatcher, readerTimeoutMs: 1_000 })
  const sockets = await Promise.all(Array.from({ length: 5 }, () => askAndStop(desk.port)))
  await expect.poll(() => dispatcher.calls.length, { timeout: 10_000 }).toBe(5)
  await expect.poll(() => openConnections(desk.server.server), { timeout: 10_000 }).toBe(0)
  await Promise.all(sockets.map(closed))
})

test('a connection whose request came while the server was busy is not closed', async () => {
  const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })
  await using desk = await openServer({ dispatcher, readerTimeoutMs: 50 })
  const accepted = once(desk.server.server, 'connection')
  const socket = await openSocket(desk.port)
  await accepted
  const answer = readUntil(socket, '200 OK')
  socket.write(postEvent({ content: 'x' }))
  // The whole process stands still, as on a machine with other work.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  await answer
  socket.destroy()
})

test('a connection that takes nothing of its stream is closed, and the event is cancelled', async () => {
  const { streamEvent, ended } = endlessStream(MIB)
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }), readerTimeoutMs: 1_000 })
  const socket = await askAndStop(desk.port, { accept: 'text/event-stream' })
  await ended
  await closed(socket)
})

test('who waits for an answer, or reads one slowly, keeps the connection', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onEvent = async () => {
    await promise
    return LARGE
  }
  await using desk = await openServer({ dispatcher: fakeDispatcher({ onEvent }), readerTimeoutMs: 1_000 })
  const socket = await openSocket(desk.port)
  socket.write(postEvent({ content: 'x' }, { connection: 'close' }))
  await new Promise((goOn) => setTimeout(goOn, 1_300))
  resolve()
  let length = 0
  for await (const chunk of socket) {
    length += chunk.length
    // Now and then, so that each pause is shorter than the time and all of them are longer.
    if (length % 7 === 0) await new Promise((goOn) => setTimeout(goOn, 70))
  }
  expect(length).toBeGreaterThan(8 * MIB)
})

test('answers that nobody reads have a budget: the oldest of the caller with the most gives way', async () => {
  const dispatcher = fakeDispatcher({ onEvent: async () => LARGE })
  const apiKeys = [
    { key: 'first-key', name: 'first' },
    { key: 'second-key', name: 'second' },
  ]
  await using desk = await openServer({ dispatcher, apiKeys, unreadBytes: 36 * MIB })
  const ask = async (key: string, calls: number) => {
    const socket = await askAndStop(desk.port, { 'x-api-key': key })
    await expect.poll(() => dispatcher.calls.length, { timeout: 10_000 }).toBe(calls)
    return socket
  }
  const second = await ask('second-key', 1)
  const first: Socket[] = []
  for (let count = 0; count < 40; count++) first.push(await ask('first-key', count + 2))
  await expect.poll(() => openConnections(desk.server.server)).toBeLessThanOrEqual(5)
  expect(second.destroyed).toBe(false)
  second.resume()
  let length = 0
  second.on('data', (chunk) => {
    length += chunk.length
  })
  await expect.poll(() => length).toBeGreaterThan(8 * MIB)
  for (const socket of [...first, second]) socket.destroy()
})
