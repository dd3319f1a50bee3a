import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
// @ts-expect-error: a script without types, which runs without a build
import { BOUNDS, MOST_ENTRIES, measure, structureTable } from '../structure.mjs'
import { ROOT } from './markdown.ts'

interface Bounds {
  readonly files: number
  readonly functionLines: number
}

interface LongFunction {
  readonly name: string
  readonly file: string
  readonly lines: number
  /** A comment beside it says why it is long. */
  readonly hasReason: boolean
}

const bounds = Object.entries(BOUNDS as Record<string, Bounds>)

test.each(bounds)('%s keeps its structure', (name, { files, functionLines }) => {
  const found = measure(name)
  expect(found.files).toBeLessThanOrEqual(files)
  expect(found.top).toBeLessThanOrEqual(MOST_ENTRIES.top)
  expect(found.fullest?.entries ?? 0).toBeLessThanOrEqual(MOST_ENTRIES.room)
  expect(found.circles).toEqual([])
  const functions: readonly LongFunction[] = found.functions
  expect(functions.length).toBeGreaterThan(25)
  expect(functions.filter(({ lines, hasReason }) => lines > functionLines && !hasReason)).toEqual([])
})

test('the page on architecture shows the structure as it is (npm run structure prints it)', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
  const cells = (text: string) => text.replace(/ {2,}/g, ' ').replace(/-{3,}/g, '---')
  expect(cells(page)).toContain(cells(structureTable()))
})
