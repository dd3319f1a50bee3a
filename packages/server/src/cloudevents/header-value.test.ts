import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts'

// The example of the HTTP binding, 3.1.3.2.
test('encodes as the specification does', () => {
  expect(encodeHeaderValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80')
  expect(encodeHeaderValue('100% "a\tb"')).toBe('100%25%20%22a%09b%22')
  expect(encodeHeaderValue("/a?b=c&d#e~!'()*")).toBe("/a?b=c&d#e~!'()*")
})

test.each([
  ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
  ['Euro%20%e2%82%ac', 'Euro €'],
  ['%41%62c', 'Abc'],
  ['a b', 'a b'],
  ['"a b"', 'a b'],
  [String.raw`"a \"b\" \\ c"`, String.raw`a "b" \ c`],
  ['"%20"', ' '],
  ['%22a%22', '"a"'],
  ['%2520', '%20'],
  ['"open', '"open'],
  ['100%', '100%'],
  ['%zz', '%zz'],
  ['', ''],
  [Buffer.from('Euro €').toString('latin1'), 'Euro €'],
  ['%EF%BB%BFa', '\ufeffa'],
])('decodes %j', (header, value) => {
  expect(decodeHeaderValue(header)).toBe(value)
})

test.each(['%C0%A0', '%ff', '%E2%82', '%ED%A0%80', '\xe4'])('refuses %j', (header) => {
  expect(decodeHeaderValue(header)).toBeUndefined()
})

test('what was encoded is decoded, and is one printable word', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const encoded = encodeHeaderValue(text)
      expect(encoded).toMatch(/^[\x21-\x7e]*$/)
      expect(decodeHeaderValue(encoded)).toBe(text)
    }),
  )
})
