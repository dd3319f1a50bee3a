import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changesOf, fieldDifferences, textDifference } from './differences.ts'

test('names the deepest field that differs', () => {
  const before = {
    content: { messages: [{ role: 'user', content: 'Hi' }] },
    parameters: { max_tokens: 5, temperature: 0 },
    metadata: { 'a b': 1 },
    model: 'm',
  }
  const after = {
    content: { messages: [{ role: 'user', content: 'Hello' }, 'more'] },
    parameters: { temperature: 0, max_tokens: 9 },
    metadata: { 'a b': 2 },
    schema: { type: 'object' },
  }
  expect(fieldDifferences(before, after)).toEqual([
    { path: 'content.messages[0].content', before: '"Hi"', after: '"Hello"' },
    { path: 'content.messages[1]', before: undefined, after: '"more"' },
    { path: 'metadata."a b"', before: '1', after: '2' },
    { path: 'model', before: '"m"', after: undefined },
    { path: 'parameters.max_tokens', before: '5', after: '9' },
    { path: 'schema', before: undefined, after: '{"type":"object"}' },
  ])
  expect(fieldDifferences(before, structuredClone(before))).toEqual([])
})

test('a list is no object, and null is not nothing', () => {
  expect(fieldDifferences({ a: [] }, { a: {} })).toEqual([{ path: 'a', before: '[]', after: '{}' }])
  expect(fieldDifferences({ a: null }, {})).toEqual([{ path: 'a', before: 'null', after: undefined }])
})

/** What `POST /tickets/:id/replay` does with its body; null means unset. */
function replayed(event: object, body: object): object {
  const { id: _former, ...rest } = { id: undefined, ...event }
  return Object.fromEntries(Object.entries({ ...rest, ...body }).filter(([, value]) => value !== null))
}

const event = fc.dictionary(
  fc.constantFrom('id', 'content', 'model', 'metadata', 'priority', '__proto__'),
  fc.jsonValue().filter((value) => value !== null),
)

test('the changes make a replay what was edited, whatever it is', () => {
  fc.assert(
    fc.property(event, event, (before, edited) => {
      const { id: _own, ...wanted } = { id: undefined, ...edited }
      const changes = changesOf(before, edited)
      expect(JSON.stringify(fieldDifferences(replayed(before, changes), wanted))).toBe('[]')
      expect(changes).not.toHaveProperty('id')
    }),
  )
  expect(changesOf({ id: 'a', content: 'Hi', model: 'm' }, { content: 'Hi', priority: 1 })).toEqual({
    model: null,
    priority: 1,
  })
})

const words = fc.array(fc.constantFrom('a', 'b', ' ', '\n', '.', 'ü', '👋', '\r\n'), { maxLength: 60 })

test('both texts are in the difference, whole', () => {
  fc.assert(
    fc.property(words, words, (one, other) => {
      const [before, after] = [one.join(''), other.join('')]
      const pieces = textDifference(before, after)
      const without = (kind: string) =>
        pieces.flatMap((piece) => (piece.kind === kind ? [] : [piece.text])).join('')
      expect(without('added')).toBe(before)
      expect(without('removed')).toBe(after)
    }),
  )
})

test('tells words apart', () => {
  expect(textDifference('The sky is blue.', 'The sky is grey.')).toEqual([
    { kind: 'same', text: 'The sky is ' },
    { kind: 'removed', text: 'blue' },
    { kind: 'added', text: 'grey' },
    { kind: 'same', text: '.' },
  ])
})

test('long texts that have nothing in common are not looked at for long', () => {
  const random = (seed: number) => Array.from({ length: 90_000 }, (_, at) => (at * seed) % 9_973).join(' ')
  const pieces = textDifference(random(7_919), random(104_729))
  expect(pieces.map(({ kind }) => kind)).toEqual(['removed', 'added'])
})
