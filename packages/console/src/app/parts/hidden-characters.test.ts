import { expect, test } from 'vitest'
import { showHidden } from './hidden-characters.ts'

test('plain text stays whole', () => {
  expect(showHidden('Grüße,\n\tworld 👋 مرحبا')).toEqual(['Grüße,\n\tworld 👋 مرحبا'])
  expect(showHidden('a\r\nb')).toEqual(['a\r\nb'])
  expect(showHidden('👩🏽‍🚀 👨‍👩‍👧')).toHaveLength(1)
  expect(showHidden('a\u200db')).toHaveLength(3)
  expect(showHidden('')).toEqual([])
})

test('what would turn or hide the rest becomes a mark', () => {
  expect(showHidden('pay\u202e001\u202c now')).toEqual([
    'pay',
    { mark: 'U+202E', name: 'right-to-left override' },
    '001',
    { mark: 'U+202C', name: 'end of direction' },
    ' now',
  ])
  expect(showHidden('\u0000\u001b[31m').at(0)).toEqual({ mark: 'U+0000', name: 'null' })
  expect(showHidden('a\u{e0041}b')[1]).toEqual({ mark: 'U+E0041', name: 'hidden character' })
  expect(showHidden('a\rb')[1]).toEqual({ mark: 'U+000D', name: 'carriage return' })
})
