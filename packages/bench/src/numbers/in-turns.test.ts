import { expect, test } from 'vitest'
import { inTurns } from './in-turns.ts'

test('every round asks all of them and begins with another one', async () => {
  const asked: string[] = []
  const scores = await inTurns([{ name: 'a' }, { name: 'b' }, { name: 'c' }], 2, async ({ name }) => {
    asked.push(name)
    return asked.length
  })
  expect(asked.join('')).toBe('abcbca')
  expect(scores).toEqual({ a: [1, 6], b: [2, 4], c: [3, 5] })
})
