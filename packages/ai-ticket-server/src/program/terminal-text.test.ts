import { expect, test } from 'vitest'
import { terminalText } from './terminal-text.ts'

test.each([
  ['lines\nand\ttabs stay, and ünïcode 🎫', 'lines\nand\ttabs stay, and ünïcode 🎫'],
  ['\u001b[31mred\u001b[0m', 'red'],
  ['\u001b]0;a title\u0007text', 'text'],
  ['over\rwritten\b\b', 'overwritten'],
])('%j is shown as %j', (text, shown) => {
  expect(terminalText(text)).toBe(shown)
})

test('an escape that comes in two pieces has no effect either', () => {
  expect(terminalText('\u001b') + terminalText('[2J')).toBe('[2J')
})

test('an 8-bit sequence loses its introducer, on every Node', () => {
  expect(terminalText('an 8-bit \u009b31m sequence')).not.toContain('\u009b')
})
