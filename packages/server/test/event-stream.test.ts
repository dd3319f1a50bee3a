import type { Clock, StreamEvent } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { endlessStream, failureOutcome, fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, openSocket, postEvent, readToBreak, readUntil } from './open-server.ts'

const EVENT = { content: 'Hi' }
const ASK_FOR_STREAM = { accept: 'text/event-stream' }

/** Time stands still until the test moves it. */
function heldClock() {
  let now = 0
  const timers = new Map<object, { at: number; callback: () => void }>()
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer(callback, delayMs) {
      const timer = { cancel: () => void timers.delete(timer) }
      timers.set(timer, { at: now + delayMs, callback })
      return timer
    },
  }
  const advance = (ms: number) => {
    now += ms
    for (const [timer, { at, callback }] of [...timers]) {
      if (at <= now && timers.delete(timer)) callback()
    }
  }
  return { clock, advance, timers }
}

/** A stream fed by the test, event by event. */
function feed() {
  const waiting: StreamEvent[] = []
  let wake = Promise.withResolvers<void>()
  async function* events(): AsyncGenerator<StreamEvent> {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift() as StreamEvent
      await wake.promise
      wake = Promise.withResolvers()
    }
  }
  const push = (event: StreamEvent) => {
    waiting.push(event)
    wake.resolve()
  }
  return { events, push }
}

test('the head is out on admission, before any delta', async () => {
  const { events, push } = feed()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent: events }) })
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  push({ type: 'admitted', id: 'evt_1' })
  expect(await head).toMatch(
    /^HTTP\/1\.1 200 OK\r\n(.*\r\n)*content-type: text\/event-stream; charset=utf-8\r\n/,
  )
  socket.destroy()
})

test('a comment every 15 s, by the clock handed in, and none after the end', async () => {
  const { events, push } = feed()
  const { clock, advance, timers } = heldClock()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent: events }), clock })
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  push({ type: 'admitted', id: 'evt_1' })
  await head

  const firstPing = readUntil(socket, ': ping\n\n')
  advance(14_999)
  expect(socket.bytesRead).toBe((await head).length)
  advance(1)
  await firstPing
  const secondPing = readUntil(socket, ': ping\n\n')
  advance(15_000)
  await secondPing

  const end = readUntil(socket, 'event: done')
  push({ type: 'done', outcome: SUCCESS })
  await end
  expect(timers.size).toBe(0)
  socket.destroy()
})

test('deltas come as they are made', async () => {
  const { events, push } = feed()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent: events }) })
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  push({ type: 'admitted', id: 'evt_1' })
  await head
  for (const text of ['one', 'two', 'three']) {
    const delta = readUntil(socket, `event: delta\ndata: {"text":"${text}"}\n\n`)
    push({ type: 'delta', text })
    await delta
  }
  socket.destroy()
})

test('a stream that fails: head, deltas, error, and a broken connection', async () => {
  const streamEvent = async function* (): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    yield { type: 'delta', text: 'Hel' }
    yield { type: 'error', outcome: failureOutcome('shutting_down', { partial: 'Hel' }) }
  }
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const response = await fetch(`${desk.url}/event`, {
    method: 'POST',
    headers: { ...ASK_FOR_STREAM, 'content-type': 'application/json' },
    body: JSON.stringify(EVENT),
  })
  expect(response.status).toBe(200)
  const { text, isBroken } = await readToBreak(response)
  expect(isBroken).toBe(true)
  const frames = text.split('\n\n').filter((frame) => frame !== '')
  expect(frames.map((frame) => frame.split('\n')[0])).toEqual(['event: delta', 'event: error'])
  expect(JSON.parse(frames[1]?.split('data: ')[1] ?? '')).toMatchObject({
    error: 'shutting_down',
    status: 503,
    partial: 'Hel',
  })
})

test('a slow reader slows the events; reading on brings the rest, and nothing is lost', async () => {
  const CHUNKS = 400
  const text = 'x'.repeat(64 * 1_024)
  let made = 0
  const streamEvent = async function* (): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    for (; made < CHUNKS; made += 1) yield { type: 'delta', text }
    yield { type: 'done', outcome: SUCCESS }
  }
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const socket = await openSocket(desk.port)
  socket.pause()
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  let madeBefore = 0
  const stoodStill = () => {
    const still = made > 0 && made === madeBefore
    madeBefore = made
    return still
  }
  // Standing still over a whole poll means that every buffer on the way is full.
  await expect.poll(stoodStill, { interval: 100 }).toBe(true)
  expect(made).toBeLessThan(CHUNKS)

  let received = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received += chunk.length
    if (chunk.includes('event: done')) break
  }
  expect(made).toBe(CHUNKS)
  expect(received).toBeGreaterThan(CHUNKS * text.length)
  socket.destroy()
})

test('a slow reader that hangs up ends the events', async () => {
  const { streamEvent, made, ended } = endlessStream()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const socket = await openSocket(desk.port)
  socket.pause()
  socket.write(postEvent(EVENT, ASK_FOR_STREAM))
  await expect.poll(made).toBeGreaterThan(1)
  socket.destroy()
  await ended
})
