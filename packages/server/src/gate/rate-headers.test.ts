import { expect, test } from 'vitest'
import { goDuration, openAiRateHeaders, rateHeaders } from './rate-limit-hook.ts'

const STANDING = { isAllowed: true, remaining: 4, nextInMs: 400, fullInMs: 96_000 }

test('the structured fields tell the burst, what is left of it, and when there is more', () => {
  expect(rateHeaders({ requests: 60, windowMs: 60_000 }, STANDING)).toEqual({
    'ratelimit-policy': '"requests";q=60;w=60',
    ratelimit: '"requests";r=4;t=1',
  })
  expect(rateHeaders({ requests: 60, windowMs: 60_000, burst: 5 }, STANDING)).toMatchObject({
    'ratelimit-policy': '"requests";q=5;w=5',
  })
})

test("OpenAI's clients read theirs", () => {
  expect(openAiRateHeaders({ requests: 60, windowMs: 60_000, burst: 100 }, STANDING)).toEqual({
    'x-ratelimit-limit-requests': '100',
    'x-ratelimit-remaining-requests': '4',
    'x-ratelimit-reset-requests': '1m36s',
  })
})

test.each([
  [0, '0ms'],
  [119.2, '120ms'],
  [1_000, '1s'],
  [6_200, '7s'],
  [59_999, '1m0s'],
  [360_000, '6m0s'],
  [3_600_001, '1h0m1s'],
])('%d ms is %s', (timeMs, text) => {
  expect(goDuration(timeMs)).toBe(text)
})
