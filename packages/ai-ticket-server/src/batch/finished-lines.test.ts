import { expect, test } from 'vitest'
import { createFinishedLines } from './finished-lines.ts'
import { createSeenIds } from './survey-input.ts'

test('finds what was noted, and counts by how it ended', () => {
  const lines = createFinishedLines()
  lines.note({ number: 5_000, hash: '0000000000abc', end: 'failed' })
  lines.note({ number: 2, hash: 'fffffffffffff', end: 'answered' })
  expect(lines.find(5_000)).toEqual({ number: 5_000, hash: '0000000000abc', end: 'failed' })
  expect(lines.find(2)?.hash).toBe('fffffffffffff')
  expect(lines.find(1)).toBeUndefined()
  expect(lines.find(1_000_000)).toBeUndefined()
  expect([...lines.numbers()]).toEqual([2, 5_000])
  expect(lines.counts).toEqual({ answered: 1, failed: 1, refused: 0 })
})

test('an answer stands, a failure gives way', () => {
  const lines = createFinishedLines()
  lines.note({ number: 1, hash: '0000000000001', end: 'refused' })
  lines.note({ number: 1, hash: '0000000000002', end: 'answered' })
  lines.note({ number: 1, hash: '0000000000003', end: 'failed' })
  expect(lines.find(1)).toEqual({ number: 1, hash: '0000000000002', end: 'answered' })
  expect(lines.counts).toEqual({ answered: 1, failed: 0, refused: 0 })
})

test('a hundred thousand ids and lines cost a few megabytes', () => {
  const before = process.memoryUsage().arrayBuffers
  const lines = createFinishedLines()
  const ids = createSeenIds()
  for (let number = 1; number <= 100_000; number++) {
    lines.note({ number, hash: number.toString(16).padStart(13, '0'), end: 'answered' })
    expect(ids.add(`id-${number}`, number)).toBeUndefined()
  }
  expect(ids.add('id-777', 100_001)).toBe(777)
  expect(lines.find(99_999)?.hash).toBe('000000001869f')
  // What was outgrown and not collected yet counts here, too.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000)
})
