import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  completionsOf,
  FILTER_NAMES,
  type Filters,
  filtersOf,
  queryOf,
  readSearch,
  VALUES,
  writeSearch,
} from './filters.ts'

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

const value = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
const oddValue = fc.oneof(value, fc.stringMatching(/^[ "\\\n\r:a-c]{1,8}$/))
const filters: fc.Arbitrary<Filters> = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...FILTER_NAMES), oddValue, { noNullPrototype: true }),
    fc.dictionary(
      oddValue.map((name) => `metadata.${name}`),
      oddValue,
      { noNullPrototype: true },
    ),
    fc.option(oddValue),
  )
  .map(([named, metadata, text]) => ({ ...named, ...metadata, ...(text !== null && { text }) }))

test('what is typed and what is shown mean the same, whatever it holds', () => {
  fc.assert(
    fc.property(filters, (given) => {
      const written = writeSearch(given)
      expect(readSearch(written)).toEqual({ ok: true, filters: given })
      // A field of one line takes it as it is.
      expect(written).not.toMatch(/[\n\r]/)
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

const completed = (typed: string, known = {}) =>
  completionsOf(typed, { ...VALUES, ...known }).map(({ typed: whole }) => whole)

test('completes the word at the end: a name, then its values', () => {
  expect(completed('sta')).toEqual(['status:'])
  expect(completed('status:f')).toEqual(['status:failed '])
  expect(completed('text status:c')).toEqual(['text status:completed ', 'text status:cancelled '])
  expect(completed('status:failed k')).toEqual(['status:failed kind:', 'status:failed key:'])
  expect(completed('status:failed s')).toEqual([])
  expect(completed('meta')).toEqual(['metadata.'])
  expect(completed('backend:', { backend: ['big', 'the "small" one'] })).toEqual([
    'backend:big ',
    'backend:"the \\"small\\" one" ',
  ])
})

test('completes nothing that is whole, unknown or in quotation marks', () => {
  for (const typed of ['status:failed', 'nothing', 'metadata.order:4', '"sta', '"two words"'])
    expect([typed, completed(typed)]).toEqual([typed, []])
})
