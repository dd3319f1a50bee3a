import { expect, test } from 'vitest'
import { closestName, suggestion } from './schema-parts.ts'

test.each([
  ['prot', 'port'],
  ['KOBOLDCPP_URL', undefined],
  ['AI_TICKET_ALLOW_ANONYMUS', 'AI_TICKET_ALLOW_ANONYMOUS'],
  ['Port', 'port'],
  ['completely-different', undefined],
])('%s probably means %s', (name, meant) => {
  expect(closestName(name, ['port', 'host', 'AI_TICKET_ALLOW_ANONYMOUS'])).toBe(meant)
})

test('a suggestion is a sentence, or nothing', () => {
  expect(suggestion('hots', ['host'])).toBe(' Did you mean "host"?')
  expect(suggestion('xyz', ['host'])).toBe('')
})
