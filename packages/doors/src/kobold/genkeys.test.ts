import { systemClock } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { Genkeys } from './genkeys.ts'

const MEGABYTE = 1_024 * 1_024

/** What can still be read of texts that one caller after the other has finished, the oldest first. */
function keptOf(callers: readonly string[], text: string): boolean[] {
  const genkeys = new Genkeys(systemClock)
  for (const [place, caller] of callers.entries()) genkeys.begin(caller, { genkey: `k${place}` }).end(text)
  return callers.map((caller, place) => genkeys.textOf(caller, `k${place}`) === text)
}

test('the texts of many callers together hold no more than 16 million characters, and the newest stay', () => {
  const callers = Array.from({ length: 40 }, (_, place) => `caller ${place}`)
  expect(keptOf(callers, 'x'.repeat(MEGABYTE))).toEqual(callers.map((_, place) => place >= 24))
})

test('a caller keeps the last hundred, and takes no place of others', () => {
  const kept = keptOf(['other', ...Array.from({ length: 120 }, () => 'caller')], 'short')
  expect(kept[0]).toBe(true)
  expect(kept.filter(Boolean)).toHaveLength(101)
  expect(kept.slice(1, 21)).toEqual(Array.from({ length: 20 }, () => false))
})
