import { expect, test } from 'vitest'
import { countTokens, firstTokens } from './simulated-tokens.ts'

test('four characters make a token and a pair is never split', () => {
  expect([countTokens(''), countTokens('four'), countTokens('fives')]).toEqual([0, 1, 2])
  expect(firstTokens('abc😀def', 1)).toBe('abc😀')
  expect(firstTokens('abc', 5)).toBe('abc')
})
