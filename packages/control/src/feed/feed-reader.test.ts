import type { TicketRow } from '@ai-ticket/tickets'
import { expect, test } from 'vitest'
import { createFeedReader } from './feed-reader.ts'
import { createRing } from './ring.ts'

const rowOf = (id: string): TicketRow => ({
  id,
  eventId: 'evt_1',
  kind: 'ticket',
  status: 'queued',
  caller: '',
  priority: 0,
  createdAt: 0,
  seq: 1,
  runs: 0,
  summary: { prompt: 'Why?', answer: null, attempts: 0, usage: null, wastedMs: 0 },
})

/** A reader whose connection takes a frame at a time while it is `slow`. */
function openReader() {
  const frames: string[] = []
  let isSlow = false
  let drain: (() => void) | undefined
  const reader = createFeedReader({
    parts: new Set(['ticket', 'desk', 'line']),
    query: {},
    isFiltered: false,
    store: { listRows: async ({ ids = [] }) => ({ rows: ids.map(rowOf) }) },
    write(frame) {
      frames.push(/event: (\w+)/.exec(frame)?.[1] ?? '')
      if (!isSlow) return true
      return new Promise((resolve) => {
        drain = () => resolve(true)
      })
    },
    nameOf: (place) => `s-${place}`,
  })
  return {
    reader,
    frames,
    slow: (is: boolean) => {
      isSlow = is
    },
    drain: async () => {
      drain?.()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

test('a slow reader is sent nothing more, then told of the gap, and goes on', async () => {
  const { reader, frames, slow, drain } = openReader()
  const ring = createRing('s')
  slow(true)
  reader.send('gap', {}, 0)
  reader.changed([ring.add('tkt_1')])
  expect(await reader.tick(1)).toBe(false)
  reader.send('gap', {}, 1)
  expect(frames).toEqual(['gap'])
  slow(false)
  await drain()
  expect(await reader.tick(1)).toBe(true)
  expect(frames).toEqual(['gap', 'gap'])
  reader.changed([ring.add('tkt_2')])
  expect(await reader.tick(2)).toBe(false)
  expect(frames).toEqual(['gap', 'gap', 'ticket'])
})

test('five rows a tick are shown, and the rest is counted', async () => {
  const { reader, frames } = openReader()
  const ring = createRing('s')
  reader.changed(Array.from({ length: 12 }, (_, number) => ring.add(`tkt_${number}`)))
  await reader.tick(12)
  expect(frames).toEqual(['ticket', 'ticket', 'ticket', 'ticket', 'ticket', 'more'])
})

test('the ring keeps the last 1,000 tickets, each with its last change', () => {
  const ring = createRing('s')
  for (let number = 0; number < 1_005; number++) ring.add(`tkt_${number}`)
  ring.add('tkt_900')
  expect(ring.after('s-1004')?.map(({ id }) => id)).toEqual(['tkt_1004', 'tkt_900'])
  expect(ring.after('s-1006')).toEqual([])
  expect(ring.after('s-5')).toHaveLength(1_000)
  expect(ring.after('s-4')).toBeUndefined()
  expect(ring.after('s-2000')).toBeUndefined()
  expect(ring.after('other-1004')).toBeUndefined()
  expect(ring.after('nonsense')).toBeUndefined()
})
