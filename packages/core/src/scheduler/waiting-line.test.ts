import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Waiter, WaitingLine } from './waiting-line.ts'

interface Guest extends Waiter {
  readonly name: string
}

const guest = (name: string, properties: Partial<Waiter> = {}): Guest => ({
  name,
  priority: 0,
  caller: name,
  enteredAt: 0,
  backends: ['a'],
  ...properties,
})

const lineOf = (...guests: Guest[]): WaitingLine<Guest> => {
  const line = new WaitingLine<Guest>()
  for (const one of guests) line.enter(one)
  return line
}

const served = (line: WaitingLine<Guest>, now = 0, backend = 'a'): string[] => {
  const names: string[] = []
  for (let one = line.next(backend, now); one; one = line.next(backend, now)) names.push(one.name)
  return names
}

test('at equal age the higher priority goes first', () => {
  const line = lineOf(guest('low', { priority: -100 }), guest('mid'), guest('high', { priority: 100 }))
  expect(served(line)).toEqual(['high', 'mid', 'low'])
})

test('of one caller the oldest goes first', () => {
  const own = (name: string, enteredAt: number) => guest(name, { caller: 'x', enteredAt })
  expect(served(lineOf(own('third', 30), own('first', 10), own('second', 20)), 100)).toEqual([
    'first',
    'second',
    'third',
  ])
})

test('30 s of waiting are worth one step of priority', () => {
  const old = guest('old', { priority: 0, enteredAt: 0 })
  const young = guest('young', { priority: 1, enteredAt: 40_000 })
  expect(lineOf(young, old).next('a', 59_999)?.name).toBe('young')
  expect(lineOf(young, old).next('a', 60_000)?.name).toBe('old')
})

test('callers take turns, however long the backlog of one is', () => {
  const batch = ['x1', 'x2', 'x3', 'x4'].map((name, index) => guest(name, { caller: 'x', enteredAt: index }))
  const late = ['y1', 'y2'].map((name) => guest(name, { caller: 'y', enteredAt: 600_000 }))
  expect(served(lineOf(...batch, ...late), 700_000)).toEqual(['x1', 'y1', 'x2', 'y2', 'x3', 'x4'])
})

test('a turn overtakes nobody of another priority who ranks higher by now', () => {
  const aged = guest('aged', { caller: 'x', priority: -1, enteredAt: 0 })
  const agedToo = guest('aged too', { caller: 'x', priority: -1, enteredAt: 1 })
  const fresh = guest('fresh', { caller: 'y', priority: -1, enteredAt: 60_000 })
  const normal = guest('normal', { caller: 'z', priority: 0, enteredAt: 60_000 })
  expect(served(lineOf(fresh, aged, agedToo, normal), 60_001)).toEqual([
    'aged',
    'aged too',
    'normal',
    'fresh',
  ])
})

test('a caller gains nothing by leaving and coming back', () => {
  const [x1, x2, y1, y2] = [
    guest('x1', { caller: 'x' }),
    guest('x2', { caller: 'x' }),
    guest('y1', { caller: 'y' }),
    guest('y2', { caller: 'y' }),
  ]
  const line = lineOf(x1, y1, y2)
  expect(line.next('a', 0)).toBe(x1)
  line.enter(x2)
  line.leave(x2)
  line.enter(x2)
  expect(served(line)).toEqual(['y1', 'x2', 'y2'])
})

test('a slot is given only to those whom its backend may serve', () => {
  const line = lineOf(guest('only b', { backends: ['b'] }), guest('any', { backends: ['a', 'b'] }))
  expect(line.next('a', 0)?.name).toBe('any')
  expect(line.next('a', 0)).toBeUndefined()
  expect(line.next('b', 0)?.name).toBe('only b')
})

test('one who was in hand already stands before all others, of any priority', () => {
  const back = guest('back', { priority: -100, headOfLine: true, enteredAt: 50 })
  const backEarlier = guest('back earlier', { headOfLine: true, enteredAt: 40 })
  const line = lineOf(guest('urgent', { priority: 100 }), back, backEarlier)
  expect(served(line, 100)).toEqual(['back earlier', 'back', 'urgent'])
})

test('a full line refuses, but not those at its head', () => {
  const line = new WaitingLine<Guest>({ capacity: 1 })
  expect(line.enter(guest('first'))).toBe('queued')
  expect(line.enter(guest('second'))).toBe('full')
  expect(line.enter(guest('back', { headOfLine: true }))).toBe('queued')
  expect(line.size).toBe(2)
  expect(line.next('a', 0)?.name).toBe('back')
  expect(line.enter(guest('third'))).toBe('full')
})

test('a full line gives up the newest place of the caller with the most, of its lowest priority', () => {
  const own = (name: string, priority: number, enteredAt: number) =>
    guest(name, { caller: 'x', priority, enteredAt })
  const many = [own('x1', 0, 1), own('x2', -5, 2), own('x3', -5, 3), own('x4', 0, 4)]
  const line = lineOf(...many, guest('y1', { caller: 'y' }))
  expect(line.makeRoom(guest('z1', { caller: 'z' }))?.name).toBe('x3')
  expect(line.makeRoom(guest('z1', { caller: 'z' }))?.name).toBe('x2')
  expect(line.makeRoom(guest('y2', { caller: 'y' }))).toBeUndefined()
  expect(line.size).toBe(3)
})

test.each([
  ['the caller with the most places itself', 'x'],
  ['a caller who would have as many', 'y'],
])('no place is given up for %s', (_who, caller) => {
  const line = lineOf(
    guest('x1', { caller: 'x' }),
    guest('x2', { caller: 'x' }),
    guest('y1', { caller: 'y' }),
  )
  expect(line.makeRoom(guest('next', { caller }))).toBeUndefined()
})

test('those at the head give up no place', () => {
  const back = ['x1', 'x2', 'x3'].map((name) => guest(name, { caller: 'x', headOfLine: true }))
  expect(lineOf(...back).makeRoom(guest('y1', { caller: 'y' }))).toBeUndefined()
})

test('who leaves is gone, and can only leave once', () => {
  const [one, two] = [guest('one'), guest('two', { enteredAt: 5 })]
  const line = lineOf(one, two)
  expect(line.leave(one)).toBe(true)
  expect(line.leave(one)).toBe(false)
  expect(line.oldestEnteredAt).toBe(5)
  expect(served(line)).toEqual(['two'])
  expect(line.oldestEnteredAt).toBeUndefined()
})

test('entering twice or with an impossible priority is a bug and throws', () => {
  const one = guest('one')
  const line = lineOf(one)
  expect(() => line.enter(one)).toThrow('twice')
  expect(() => line.enter(guest('two', { priority: 101 }))).toThrow(RangeError)
  expect(() => line.enter(guest('two', { priority: 0.5 }))).toThrow(RangeError)
  expect(line.size).toBe(1)
})

const someGuests = (priorities: fc.Arbitrary<number>) =>
  fc.array(
    fc.record({
      priority: priorities,
      caller: fc.constantFrom('x', 'y', 'z'),
      enteredAt: fc.nat(100_000),
      backends: fc.subarray(['a', 'b'], { minLength: 1 }),
      headOfLine: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
    }),
    { maxLength: 30 },
  )

test('never holds more than its capacity beside those at the head', () => {
  fc.assert(
    fc.property(someGuests(fc.constant(0)), fc.integer({ min: 1, max: 10 }), (guests, capacity) => {
      const line = new WaitingLine({ capacity })
      let heads = 0
      for (const one of guests) {
        const answer = line.enter(one)
        if (one.headOfLine) heads += 1
        expect(line.size - heads).toBeLessThanOrEqual(capacity)
        expect(answer === 'full').toBe(!one.headOfLine && line.waiting().includes(one) === false)
      }
    }),
  )
})

test('nobody is overtaken by a lower effective priority, nor by a younger one of the same caller', () => {
  const effective = (one: Waiter, now: number) => one.priority + Math.floor((now - one.enteredAt) / 30_000)
  fc.assert(
    fc.property(
      someGuests(fc.integer({ min: -3, max: 3 })),
      fc.integer({ min: 100_000, max: 400_000 }),
      (guests, now) => {
        const line = new WaitingLine()
        for (const one of guests) line.enter(one)
        for (let first = line.next('a', now); first; first = line.next('a', now)) {
          expect(first.backends).toContain('a')
          const others = line.waiting().filter((other) => other.backends.includes('a'))
          if (first.headOfLine) continue
          for (const other of others) {
            expect(other.headOfLine).toBe(false)
            if (other.priority !== first.priority) {
              expect(effective(other, now)).toBeLessThanOrEqual(effective(first, now))
            } else if (other.caller === first.caller) {
              expect(other.enteredAt).toBeGreaterThanOrEqual(first.enteredAt)
            }
          }
        }
        expect(line.waiting().every((one) => !one.backends.includes('a'))).toBe(true)
      },
    ),
  )
})

const turns = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ enter: fc.constantFrom('x', 'y', 'z') }) },
    { weight: 2, arbitrary: fc.record({ serveAfterMs: fc.nat(90_000) }) },
  ),
  { maxLength: 120, size: 'max' },
)

test('while a caller waits, no other of the same priority is served twice before it', () => {
  fc.assert(
    fc.property(turns, (steps) => {
      const line = new WaitingLine()
      const sinceTurn = new Map<string, Map<string, number>>()
      let now = 0
      for (const step of steps) {
        if ('enter' in step) {
          line.enter({ priority: 0, caller: step.enter, enteredAt: now, backends: ['a'] })
          if (!sinceTurn.has(step.enter)) sinceTurn.set(step.enter, new Map())
          continue
        }
        now += step.serveAfterMs
        const first = line.next('a', now)
        if (!first) continue
        const stillWaits = line.waiting().some(({ caller }) => caller === first.caller)
        if (stillWaits) sinceTurn.set(first.caller, new Map())
        else sinceTurn.delete(first.caller)
        for (const [caller, counts] of sinceTurn) {
          if (caller === first.caller) continue
          counts.set(first.caller, (counts.get(first.caller) ?? 0) + 1)
          expect(counts.get(first.caller)).toBeLessThanOrEqual(1)
        }
      }
    }),
  )
})

test('two callers of one priority are never more than one apart while both wait', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(90_000), { minLength: 2, maxLength: 40 }), fc.nat(100), (pauses, lead) => {
      const line = new WaitingLine()
      for (let index = 0; index < 40; index += 1) {
        line.enter({ priority: 0, caller: 'x', enteredAt: index, backends: ['a'] })
        line.enter({ priority: 0, caller: 'y', enteredAt: index * lead * 1000, backends: ['a'] })
      }
      let now = 40 * lead * 1000
      let difference = 0
      const differences = [0]
      for (const pause of pauses) {
        now += pause
        difference += line.next('a', now)?.caller === 'x' ? 1 : -1
        differences.push(difference)
      }
      expect(Math.max(...differences) - Math.min(...differences)).toBeLessThanOrEqual(1)
    }),
  )
})

test('nobody starves, whoever keeps coming', () => {
  const arrival = fc.record({
    priority: fc.constantFrom(-2, 0, 3),
    caller: fc.constantFrom('x', 'victim', 'new'),
  })
  fc.assert(
    fc.property(
      fc.array(arrival, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (flood, inFlight) => {
        const line = new WaitingLine({ ageingMs: 100 })
        const tickMs = 10
        for (let index = 0; index < inFlight; index += 1) {
          line.enter({ priority: 3, caller: `crowd ${index}`, enteredAt: 0, backends: ['a'] })
        }
        const victim = { priority: -2, caller: 'victim', enteredAt: 0, backends: ['a'] }
        line.enter(victim)
        // After (3 + 2 + 1) steps of ageing nobody who comes new ranks higher; then those before it go, one a tick.
        const lastTick = (6 * 100) / tickMs + 3 * (inFlight + 1)
        for (let tick = 1; tick <= lastTick && line.waiting().includes(victim); tick += 1) {
          const now = tick * tickMs
          const { priority, caller } = flood[tick % flood.length] ?? { priority: 3, caller: 'x' }
          const name = caller === 'new' ? `new ${tick}` : caller
          line.enter({ priority, caller: name, enteredAt: now, backends: ['a'] })
          line.next('a', now)
        }
        expect(line.waiting()).not.toContain(victim)
      },
    ),
  )
})

test('ahead names those who are served before, if nobody else comes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('x', 'y', 'z'), { minLength: 1, maxLength: 20 }),
      fc.nat(),
      (names, pick) => {
        const line = new WaitingLine<Guest>()
        const guests = names.map((caller, index) => guest(`${index}`, { caller }))
        for (const one of guests) line.enter(one)
        const chosen = guests[pick % guests.length]
        if (!chosen) return
        const ahead = line.ahead(chosen, 0).map(({ name }) => name)
        const order = served(line)
        expect(ahead.sort()).toEqual(order.slice(0, order.indexOf(chosen.name)).sort())
      },
    ),
  )
})

test('ahead counts the head of the line and higher priorities, and not those who want another backend', () => {
  const me = guest('me', { enteredAt: 50 })
  const line = lineOf(
    guest('urgent', { priority: 5 }),
    guest('lower', { priority: -5 }),
    guest('elsewhere', { priority: 9, backends: ['b'] }),
    me,
    guest('back', { headOfLine: true }),
  )
  expect(line.ahead(me, 60).map(({ name }) => name)).toEqual(['urgent', 'back'])
})

describe('the order of turns', () => {
  const waiterOf = (caller: string, enteredAt: number, priority = 0) => ({
    ...{ priority, caller, enteredAt, backends: ['b'] },
  })

  test('is the one in which slots would be given one after another', () => {
    let state = 7
    const random = () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    for (let round = 0; round < 200; round++) {
      const line = new WaitingLine({ ageingMs: 100 })
      for (let index = 0; index < 12; index++) {
        line.enter(
          waiterOf(`c${Math.floor(random() * 4)}`, Math.floor(random() * 90), Math.floor(random() * 2)),
        )
        if (random() < 0.2) line.next('b', 90)
      }
      const order = line.order('b', 95)
      for (const waiter of order) expect(line.next('b', 95)).toBe(waiter)
    }
  })

  test('a caller that was served early owes its next turns to the others', () => {
    const line = new WaitingLine()
    const own = Array.from({ length: 5 }, (_, index) => waiterOf('a', index))
    const others = Array.from({ length: 5 }, (_, index) => waiterOf('b', index))
    for (const waiter of [...own, ...others]) line.enter(waiter)
    line.serve(own[0] ?? waiterOf('a', 0))
    for (const waiter of own.slice(1, 3)) line.serve(waiter, true)
    const served = Array.from({ length: 7 }, () => {
      const [first] = line.order('b', 10)
      if (first) line.serve(first)
      return first?.caller
    })
    expect(served).toEqual(['b', 'b', 'b', 'a', 'b', 'a', 'b'])
  })
})
