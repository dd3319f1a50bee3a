import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// What recordings of two real KoboldCPP servers taught, as 49 numbered facts. Each one that concerns a client has a
// test named after it in one of these files; the others are listed here with the reason.

const files = ['kobold-facts-transport.test.ts', 'kobold-facts-queue.test.ts', 'kobold-facts-text.test.ts']

const notOurs: Readonly<Record<number, string>> = {
  30: 'check (the text so far of a plain call) is not asked: an aborted call hands its text over by itself',
}

function testedFacts(): Set<number> {
  const names = files.flatMap((file) => {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8')
    return [...source.matchAll(/'facts? ([\d and]+):/g)].map(([, numbers]) => numbers ?? '')
  })
  return new Set(names.flatMap((numbers) => numbers.split(' and ').map(Number)))
}

test('every one of the 49 facts has a test, or a reason why not', () => {
  const tested = testedFacts()
  const missing = Array.from({ length: 49 }, (_, index) => index + 1).filter(
    (fact) => !tested.has(fact) && !(fact in notOurs),
  )
  expect(missing).toEqual([])
  expect(Object.keys(notOurs).filter((fact) => tested.has(Number(fact)))).toEqual([])
})
