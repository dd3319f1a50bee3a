import { expect, test } from 'vitest'
import { pythonJson } from './python-json.ts'

test('the text is what json.dumps writes', () => {
  const value = { text: 'Zoë — 😀\u007f\n', list: [1, null, true], none: undefined, empty: {} }
  expect(pythonJson(value)).toBe(
    '{"text": "Zo\\u00eb \\u2014 \\ud83d\\ude00\\u007f\\n", "list": [1, null, true], "empty": {}}',
  )
})
