import { expect, test } from 'vitest'
import type { Endpoint } from '../contract/backend.ts'
import { firstPlace, placeAfter } from './attempt.ts'
import type { Place } from './call.ts'
import type { SameBackendStep } from './next-step.ts'

const endpoint = (name: string): Endpoint => ({
  name,
  turns: true,
  images: false,
  tools: false,
  schema: 'json_schema',
})
const chat = endpoint('chat')
const text = endpoint('text')
const native = endpoint('native')

/** A place where everything has happened once. */
const USED: Place = {
  endpoint: chat,
  nextEndpoints: [text, native],
  call: 4,
  repairs: 1,
  pauseMs: 500,
  isRelaxed: true,
}

test('a visit begins with the first call of the first endpoint', () => {
  expect(firstPlace([chat, text])).toEqual({
    endpoint: chat,
    nextEndpoints: [text],
    call: 1,
    repairs: 0,
    pauseMs: 0,
    isRelaxed: false,
  })
})

test.each<[SameBackendStep, Partial<Place>]>([
  [
    { type: 'repeat', afterMs: 700 },
    { call: 5, pauseMs: 700 },
  ],
  [{ type: 'repair' }, { call: 5, repairs: 2, pauseMs: 0 }],
  [{ type: 'relax' }, { call: 5, pauseMs: 0 }],
  [
    { type: 'next_endpoint' },
    { endpoint: text, nextEndpoints: [native], call: 1, repairs: 0, pauseMs: 0, isRelaxed: false },
  ],
])('%j changes what it is about and keeps the rest', (step, changes) => {
  expect(placeAfter(USED, step)).toEqual({ ...USED, ...changes })
})

test('an endpoint that has refused the schema is not asked for it again', () => {
  expect(placeAfter(firstPlace([chat]), { type: 'relax' })).toMatchObject({ call: 2, isRelaxed: true })
})

test('a place is a value: no step changes the one it starts from', () => {
  const place = Object.freeze({ ...USED, nextEndpoints: Object.freeze([text, native]) })
  placeAfter(place, { type: 'next_endpoint' })
  expect(placeAfter(place, { type: 'next_endpoint' }).endpoint).toBe(text)
})

test('there is no place without an endpoint', () => {
  expect(() => firstPlace([])).toThrow('no endpoint')
  expect(() => placeAfter(firstPlace([chat]), { type: 'next_endpoint' })).toThrow('no endpoint')
})
