import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  estimateMs,
  type GenerationSample,
  learnFromCall,
  likelyTokens,
  partCall,
  type SpeedEstimate,
  tokenTimes,
  unknownSpeed,
} from './speed-estimate.ts'

const learnAll = (samples: readonly GenerationSample[], from: SpeedEstimate = unknownSpeed) =>
  samples.reduce(learnFromCall, from)

/** A backend that reads a token in 2 ms and writes one in 50 ms. */
const call = (promptTokens: number, completionTokens: number, maxTokens?: number): GenerationSample => ({
  promptTokens,
  completionTokens,
  durationMs: 2 * promptTokens + 50 * completionTokens,
  ...(maxTokens === undefined ? {} : { maxTokens }),
})

test('nothing is estimated before three calls were seen', () => {
  const two = learnAll([call(100, 10), call(500, 20)])
  expect(tokenTimes(two)).toBeUndefined()
  expect(estimateMs(two, { promptTokens: 1, maxTokens: 1 })).toBeUndefined()
  expect(tokenTimes(learnFromCall(two, call(50, 90)))).toBeDefined()
})

test('the speeds of reading and writing are told apart by calls of different mixture', () => {
  const times = tokenTimes(learnAll([call(1000, 10), call(20, 100), call(300, 50), call(4000, 5)]))
  expect(times?.readMs).toBeCloseTo(2)
  expect(times?.writtenMs).toBeCloseTo(50)
})

test('calls of always the same mixture are foretold, though they cannot be told apart', () => {
  const same = learnAll(Array.from({ length: 9 }, () => call(400, 40)))
  expect(estimateMs(same, { promptTokens: 400, maxTokens: 40 })).toBeCloseTo(2800)
})

test('the time to the first token tells them apart at once', () => {
  const streamed = { ...call(400, 40), firstTokenMs: 800 }
  const times = tokenTimes(learnAll([streamed, streamed]))
  expect(times?.readMs).toBeCloseTo(2)
  expect(times?.writtenMs).toBeCloseTo(50)
})

test('a server that became slower is noticed within a dozen calls', () => {
  const before = learnAll(
    Array.from({ length: 50 }, (_, index) => call(100 + index * 17, 10 + (index % 7) * 9)),
  )
  const slow = Array.from({ length: 12 }, (_, index) => call(100 + index * 31, 10 + (index % 5) * 9)).map(
    (sample) => ({ ...sample, durationMs: sample.durationMs * 3 }),
  )
  const request = { promptTokens: 300, maxTokens: 40 }
  const after = estimateMs(learnAll(slow, before), request) ?? 0
  expect(after / (estimateMs(before, request) ?? 1)).toBeGreaterThan(2.5)
})

test('answers are expected to use as much of max_tokens as they did lately', () => {
  const short = learnAll([call(100, 50, 500), call(900, 30, 300), call(20, 10, 100)])
  expect(estimateMs(short, { promptTokens: 0, maxTokens: 1000 })).toBeCloseTo(100 * 50)
  const unseen = learnAll([call(100, 50), call(900, 30), call(20, 10)])
  expect(estimateMs(unseen, { promptTokens: 0, maxTokens: 1000 })).toBeCloseTo(1000 * 50)
})

test.each([
  { promptTokens: 10, completionTokens: 10, durationMs: 0 },
  { promptTokens: 0, completionTokens: 0, durationMs: 100, maxTokens: 10 },
  { promptTokens: Number.NaN, completionTokens: 1, durationMs: 100 },
  { promptTokens: -1, completionTokens: 10, durationMs: 100 },
])('an impossible sample teaches nothing: %j', (sample) => {
  expect(learnFromCall(unknownSpeed, sample)).toBe(unknownSpeed)
})

test('four bytes are taken for a token', () => {
  expect([likelyTokens(0), likelyTokens(1), likelyTokens(4000)]).toEqual([0, 1, 1000])
})

const someSample = fc.record({
  promptTokens: fc.nat(20_000),
  completionTokens: fc.nat(2000),
  durationMs: fc.double({ min: 1, max: 600_000, noNaN: true }),
})

test('whatever was seen, times are finite and positive, and more work takes longer', () => {
  fc.assert(
    fc.property(fc.array(someSample, { minLength: 3, maxLength: 40 }), (samples) => {
      const estimate = learnAll(samples)
      const less = estimateMs(estimate, { promptTokens: 100, maxTokens: 100 })
      const more = estimateMs(estimate, { promptTokens: 200, maxTokens: 200 })
      fc.pre(less !== undefined && more !== undefined)
      expect(Number.isFinite(more)).toBe(true)
      expect(less).toBeGreaterThan(0)
      expect(more).toBeGreaterThan(less ?? Number.NaN)
    }),
  )
})

test('the time of a call is parted by the speeds, whole, and not where they do not explain it', () => {
  const learned = learnAll([call(1000, 10), call(20, 100), call(300, 50)])
  const parted = (durationMs: number) =>
    partCall(learned, { promptTokens: 500, completionTokens: 20, durationMs })
  expect(parted(2_000)?.promptMs).toBeCloseTo(1_000)
  expect(parted(3_000)?.promptMs).toBeCloseTo(1_500)
  for (const ms of [0, 700, 3_999]) {
    const { promptMs = Number.NaN, completionMs = Number.NaN } = parted(ms) ?? {}
    expect(promptMs + completionMs).toBeCloseTo(ms)
  }
  expect(parted(4_001)).toBeUndefined()
  expect(partCall(unknownSpeed, { promptTokens: 1, completionTokens: 1, durationMs: 9 })).toBeUndefined()
  expect(partCall(learned, { promptTokens: 0, completionTokens: 0, durationMs: 9 })).toBeUndefined()
})
