import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { FinishedLines } from './finished-lines.ts'

test('finds what was noted, and counts by how it ended', () => {
  const lines = new FinishedLines()
  lines.note({ number: 5_000, hash: '0000000000abc', end: 'failed' })
  lines.note({ number: 2, hash: 'fffffffffffff', end: 'answered' })
  expect(lines.find(5_000)).toEqual({ number: 5_000, hash: '0000000000abc', end: 'failed' })
  expect(lines.find(2)?.hash).toBe('fffffffffffff')
  expect(lines.find(1)).toBeUndefined()
  expect(lines.find(1_000_000)).toBeUndefined()
  expect(lines.numbers().toSorted()).toEqual([2, 5_000])
  expect(lines.counts).toEqual({ answered: 1, failed: 1, refused: 0 })
})

test('an answer stands, a failure gives way', () => {
  const lines = new FinishedLines()
  lines.note({ number: 1, hash: '0000000000001', end: 'refused' })
  lines.note({ number: 1, hash: '0000000000002', end: 'answered' })
  lines.note({ number: 1, hash: '0000000000003', end: 'failed' })
  expect(lines.find(1)).toEqual({ number: 1, hash: '0000000000002', end: 'answered' })
  expect(lines.counts).toEqual({ answered: 1, failed: 0, refused: 0 })
})

test('a hundred thousand lines cost a few megabytes', () => {
  const before = heapUsed()
  const lines = new FinishedLines()
  for (let number = 1; number <= 100_000; number++) {
    lines.note({ number, hash: number.toString(16).padStart(13, '0'), end: 'answered' })
  }
  expect(heapUsed() - before).toBeLessThan(16_000_000)
  expect(lines.find(99_999)?.hash).toBe('000000001869f')
})

/** Without what nobody holds. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
