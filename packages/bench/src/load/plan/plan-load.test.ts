import { expect, test } from 'vitest'
import { KINDS, MIX, type PlannedRequest, planLoad } from './plan-load.ts'

function take(count: number, plan: { seed: number; rate: number }): PlannedRequest[] {
  const requests: PlannedRequest[] = []
  for (const request of planLoad(plan)) {
    requests.push(request)
    if (requests.length === count) break
  }
  return requests
}

test('the same seed plans the same requests, another seed others', () => {
  expect(take(200, { seed: 7, rate: 40 })).toEqual(take(200, { seed: 7, rate: 40 }))
  expect(take(200, { seed: 8, rate: 40 })).not.toEqual(take(200, { seed: 7, rate: 40 }))
})

test('requests come at the rate that was asked for, bursts among them', () => {
  const requests = take(20_000, { seed: 1, rate: 50 })
  const seconds = (requests.at(-1)?.atMs ?? 0) / 1000
  expect(requests.length / seconds).toBeGreaterThan(47)
  expect(requests.length / seconds).toBeLessThan(53)
  const atOnce = Map.groupBy(requests, ({ atMs }) => atMs)
  expect(Math.max(...[...atOnce.values()].map(({ length }) => length))).toBe(16)
})

test('every kind comes as often as its part of the mix', () => {
  const requests = take(20_000, { seed: 1, rate: 50 })
  for (const kind of KINDS) {
    const share = requests.filter((request) => request.kind === kind).length / requests.length
    expect(Math.abs(share - MIX[kind] / 100)).toBeLessThan(0.01)
  }
})
