import { expect, test } from 'vitest'
import type { PromptChain } from './prompt-chain.ts'
import { afterAnswer, afterLoss, afterReading, nothingWarm, pushedOut, warmTokens } from './warm-prompts.ts'

/** A link of ten tokens for each letter. */
const chain = (letters: string): PromptChain =>
  [...letters].map((_, index) => ({
    hash: letters.slice(0, index + 1),
    tokens: 10 * (index + 1),
    endsTurn: true,
  }))

test('a server of one prompt keeps the last one', () => {
  const warm = afterReading(afterReading(nothingWarm(1), chain('abc')), chain('xyz'))
  expect(warmTokens(warm, chain('abcd'))).toBe(0)
  expect(warmTokens(warm, chain('xyw'))).toBe(20)
})

test('the answer stands behind its prompt', () => {
  const prompt = chain('ab')
  const warm = afterAnswer(afterReading(nothingWarm(1), prompt), prompt, chain('abA'))
  expect(warmTokens(warm, chain('abAc'))).toBe(30)
})

test('a conversation that goes on takes the place of its beginning, another prompt that used longest ago', () => {
  const first = afterReading(afterReading(nothingWarm(2), chain('ab')), chain('xy'))
  const later = afterReading(first, chain('abc'))
  expect(later.chains).toHaveLength(2)
  expect(pushedOut(later, chain('q'))).toEqual(chain('xy'))
  expect(pushedOut(later, chain('xyz'))).toEqual([])
  expect(warmTokens(afterReading(later, chain('q')), chain('xy'))).toBe(0)
})

test('what was not read to its end is not kept, and a server that keeps nothing keeps nothing', () => {
  const prompt = chain('ab')
  expect(warmTokens(afterLoss(afterReading(nothingWarm(1), prompt), prompt), prompt)).toBe(0)
  expect(warmTokens(afterReading(nothingWarm(0), prompt), prompt)).toBe(0)
})
