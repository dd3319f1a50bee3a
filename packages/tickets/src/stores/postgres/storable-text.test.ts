import fc from 'fast-check'
import { expect, it } from 'vitest'
import { restoredText, storableText } from './ticket-row.ts'

const anyText = fc.string({ unit: fc.constantFrom('\0', '\uE000', '0', '1', 'a', '🙂') })

it('gives every text back as it was, and PostgreSQL none that it refuses', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(storableText(text)).not.toContain('\0')
      expect(restoredText(storableText(text))).toBe(text)
    }),
  )
})

it('leaves an ordinary text alone', () => {
  expect(storableText('Why is the sky blue?')).toBe('Why is the sky blue?')
})

it('mends half a surrogate pair', () => {
  expect(storableText('a\ud83d')).toBe('a\ufffd')
})
