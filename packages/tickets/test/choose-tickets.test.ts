import type { Outcome } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TicketChooser } from '../src/desk/choose-tickets.ts'
import type { WaitingTicket } from '../src/ticket/ticket-store.ts'

const OVERTAKE_MS = 10_000
const COLD_MS = 1_000
const WARM_MS = 200

const answered = (durationMs: number, saved: number): Outcome => ({
  ...{ id: 'e', completion: 'Yes.', model: null, backend: 'box', endpoint: 'chat', duration_ms: durationMs },
  finish_reason: 'stop',
  usage: { prompt_tokens: 700, completion_tokens: 16 },
  attempts: [
    {
      ...{ backend: 'box', endpoint: 'chat', number: 1, result: 'completed', waited_ms: 0 },
      started_at: '2026-01-01T00:00:00.000Z',
      duration_ms: durationMs,
      ...(saved > 0 && { saved_prompt_tokens: saved }),
    },
  ],
})

function open({ overtakeMs = OVERTAKE_MS, knows = true } = {}) {
  const clock = createVirtualClock()
  const chooser = new TicketChooser({ clock, overtakeMs })
  if (knows) {
    chooser.learn(answered(COLD_MS, 0))
    chooser.learn(answered(WARM_MS, 640))
  }
  const slots = (warm: readonly string[], free = 1) => [{ backend: 'box', free, concurrency: 1, warm }]
  const choose = (line: readonly WaitingTicket[], warm: readonly string[], limit = 1) =>
    chooser
      .chooserFor(
        slots(warm, limit),
        limit,
      )?.(line)
      .map(({ seq }) => seq)
  return { clock, choose, chooser }
}

let seqs = 0
const ticket = (prefix: string, given: Partial<WaitingTicket> = {}): WaitingTicket => ({
  ...{ seq: ++seqs, sender: 'office', rank: 0, priority: 0, prefix },
  ...given,
})

it('takes the first that is warm, and else the first', () => {
  const { choose } = open()
  const line = [ticket('b'), ticket('c'), ticket('a'), ticket('a')]
  expect(choose(line, ['a'])).toEqual([line[2]?.seq])
  expect(choose(line, ['x'])).toEqual([line[0]?.seq])
  expect(choose(line, ['a', 'b'])).toEqual([line[0]?.seq])
})

it('leaves the order to the store where nothing is warm, where it may not overtake, and before it knows how long work takes', () => {
  const line = [ticket('b'), ticket('a')]
  expect(open().choose(line, [])).toBeUndefined()
  expect(open({ overtakeMs: 0 }).choose(line, ['a'])).toBeUndefined()
  expect(open({ knows: false }).choose(line, ['a'])).toEqual([line[0]?.seq])
})

it('obeys another overtakeMs from the next choice on', () => {
  const line = [ticket('b'), ticket('a')]
  const { choose, chooser } = open()
  chooser.change(0)
  expect(choose(line, ['a'])).toBeUndefined()
  chooser.change(OVERTAKE_MS)
  expect(choose(line, ['a'])).toEqual([line[1]?.seq])
})

it('takes nothing before one of another priority, higher or lower', () => {
  const { choose } = open()
  for (const priority of [1, -1]) {
    const line = [ticket('b', { priority }), ticket('a')]
    expect(choose(line, ['a'])).toEqual([line[0]?.seq])
  }
})

it('passes over no more than can still be served in time', () => {
  const { choose } = open()
  const strangers = (count: number) => Array.from({ length: count }, (_, index) => ticket(`other ${index}`))
  // Ten that are cold take ten seconds: the last of them starts after nine, and the warm one comes before.
  const fits = [...strangers(10), ticket('a')]
  expect(choose(fits, ['a'])).toEqual([fits[10]?.seq])
  const fitsNot = [...strangers(11), ticket('a')]
  expect(choose(fitsNot, ['a'])).toEqual([fitsNot[0]?.seq])
})

it('gives each free slot what is warm there', () => {
  const { choose } = open()
  const line = [ticket('c'), ticket('a'), ticket('a'), ticket('b')]
  const slots = [
    { backend: 'one', free: 1, concurrency: 1, warm: ['a'] },
    { backend: 'two', free: 1, concurrency: 1, warm: ['b'] },
  ]
  const clock = createVirtualClock()
  const chooser = new TicketChooser({ clock, overtakeMs: OVERTAKE_MS })
  chooser.learn(answered(COLD_MS, 0))
  expect(
    chooser
      .chooserFor(
        slots,
        2,
      )?.(line)
      .map(({ seq }) => seq),
  ).toEqual([line[1]?.seq, line[3]?.seq])
  expect(choose(line, ['a'], 2)).toEqual([line[1]?.seq, line[2]?.seq])
})

/** A desk with one slot that works on whatever comes; each turn is what the chooser was shown, and what it took. */
async function work(arrivals: readonly (readonly Omit<WaitingTicket, 'seq' | 'rank'>[])[]) {
  const { clock, choose } = open()
  const turns: { at: number; line: readonly WaitingTicket[]; taken: WaitingTicket }[] = []
  let line: WaitingTicket[] = []
  let warm = ''
  let number = 0
  for (let round = 0; round < arrivals.length || line.length > 0; round++) {
    for (const given of arrivals[round] ?? []) line.push({ ...given, seq: ++number, rank: clock.now() })
    line.sort((one, other) => other.priority - one.priority)
    const taken = line.find(({ seq }) => seq === (choose(line, [warm])?.[0] ?? line[0]?.seq))
    if (taken) {
      turns.push({ at: clock.now(), line, taken })
      line = line.filter((one) => one !== taken)
    }
    await clock.advance(taken?.prefix === warm ? WARM_MS : COLD_MS)
    warm = taken?.prefix ?? warm
  }
  return turns
}

const arriving = fc.record({
  prefix: fc.constantFrom('a', 'b', 'c', 'd'),
  sender: fc.constant('office'),
  priority: fc.constantFrom(0, 0, 0, 1),
})

it('lets nobody be overtaken for longer than the bound, nor by a lower priority', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(arriving, { maxLength: 12 }), { maxLength: 60 }), async (arrivals) => {
      const passedAt = new Map<number, number>()
      for (const { at, line, taken } of await work(arrivals)) {
        for (const one of line.slice(0, line.indexOf(taken))) {
          expect(one.priority).toBe(taken.priority)
          const since = passedAt.get(one.seq) ?? at
          passedAt.set(one.seq, since)
          expect(at - since).toBeLessThanOrEqual(OVERTAKE_MS)
        }
      }
    }),
    { numRuns: process.env.AI_TICKET_LONG === '1' ? 2_000 : 150 },
  )
})

it('counts the bound from the first time, however many warm ones keep coming', async () => {
  const stranger = { prefix: 'b', sender: 'office', priority: 0 }
  const warm = { ...stranger, prefix: 'a' }
  const arrivals = [[warm], [stranger, warm], ...Array.from({ length: 100 }, () => [warm])]
  const turns = await work(arrivals)
  const passedAt = turns.find(({ line, taken }) => line[0]?.prefix === 'b' && taken.prefix === 'a')?.at ?? 0
  const servedAt = turns.find(({ taken }) => taken.prefix === 'b')?.at ?? 0
  expect(servedAt - passedAt).toBeGreaterThan(OVERTAKE_MS / 2)
  expect(servedAt - passedAt).toBeLessThanOrEqual(OVERTAKE_MS + WARM_MS)
})
