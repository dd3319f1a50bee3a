import { expect, test } from 'vitest'
import { terminalJson, terminalLine, terminalText } from './terminal-text.ts'

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

test('what came from another caller is shown with marks', () => {
  expect(terminalLine('evt\u001b[2J\u009b31m\nnext\u202etxt.exe')).toBe(
    'evt\\u001b[2J\\u009b31m\\u000anext\\u202etxt.exe',
  )
})

test('JSON for a terminal holds the same value, and nothing that a terminal acts on', () => {
  const value = { text: 'a\u009b31m\u202eb\u001b]0;title\u0007', list: ['\u2066', 'ünïcode 👩‍💻'] }
  for (const indent of [0, 2]) {
    const text = terminalJson(value, indent)
    expect(JSON.parse(text)).toEqual(value)
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u)
    expect(text).toContain('👩‍💻')
  }
})
