import { expect, test } from 'vitest'
import { countTokens, createTimers, createTokenRun, firstTokens } from './simulated-tokens.ts'

test('four characters make a token and a pair is never split', () => {
  expect([countTokens(''), countTokens('four'), countTokens('fives')]).toEqual([0, 1, 2])
  expect(firstTokens('abc😀def', 1)).toBe('abc😀')
  expect(firstTokens('abc', 5)).toBe('abc')
})

test('a process that stands still does not get the whole text at once', async () => {
  const pieces: number[] = []
  await new Promise<void>((onComplete) => {
    const run = createTokenRun({
      text: 'word'.repeat(100),
      tokensPerSecond: 1_000,
      promptMs: 0,
      timers: createTimers(),
      onText: (_piece, tokens) => pieces.push(tokens),
      onComplete,
    })
    run.start()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  })
  expect(Math.max(...pieces)).toBeLessThan(25)
  expect(pieces.reduce((sum, tokens) => sum + tokens, 0)).toBe(100)
})
