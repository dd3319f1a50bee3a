import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FILTER_NAMES, type Filters, filtersOf, queryOf, readSearch, writeSearch } from './filters.ts'

test('reads filters, metadata and text', () => {
  expect(readSearch('status:failed metadata.order:4711 "free text"')).toEqual({
    ok: true,
    filters: { status: 'failed', 'metadata.order': '4711', text: 'free text' },
  })
  expect(readSearch('  two   words ')).toEqual({ ok: true, filters: { text: 'two words' } })
  expect(readSearch('metadata.name:"a \\"b\\" \\\\"')).toEqual({
    ok: true,
    filters: { 'metadata.name': 'a "b" \\' },
  })
  expect(readSearch('')).toEqual({ ok: true, filters: {} })
})

test('says what is wrong', () => {
  expect(readSearch('stat:failed')).toMatchObject({
    ok: false,
    problem: expect.stringContaining('no filter stat'),
  })
  expect(readSearch('status:a status:b')).toMatchObject({ ok: false, problem: 'status is given twice.' })
  expect(readSearch('"open')).toMatchObject({ ok: false, problem: expect.stringContaining('quotation mark') })
})

const value = fc
  .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
  .filter((text) => text.trim() === text)
const filters: fc.Arbitrary<Filters> = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...FILTER_NAMES), value, { noNullPrototype: true }),
    fc.dictionary(fc.stringMatching(/^metadata\.[a-z_.0-9-]{1,12}$/), value, { noNullPrototype: true }),
    fc.option(value.map((text) => text.replace(/\s+/g, ' '))),
  )
  .map(([named, metadata, text]) => ({ ...named, ...metadata, ...(text !== null && { text }) }))

test('what is typed and what is shown mean the same, whatever it holds', () => {
  fc.assert(
    fc.property(filters, (given) => {
      expect(readSearch(writeSearch(given))).toEqual({ ok: true, filters: given })
    }),
    { numRuns: 2_000 },
  )
})

test('an address gives back every filter', () => {
  fc.assert(
    fc.property(filters, (given) => {
      const query = Object.fromEntries(new URLSearchParams(queryOf(given)))
      expect(filtersOf(query)).toEqual(given)
    }),
    { numRuns: 2_000 },
  )
})

test('reading never throws', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (typed) => void readSearch(typed)))
})
