import { expect, test } from 'vitest'
import { firstLine } from './serve.ts'

test('it looks like a line of the logger, as JSON or readable', () => {
  expect(JSON.parse(firstLine('info', false))).toEqual({
    time: expect.stringMatching(/^\d{4}-/),
    level: 'info',
    message: expect.stringMatching(/^AI Ticket \d.* starts$/),
  })
  expect(firstLine('DEBUG', true)).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}AI Ticket \d\S* starts\n$/)
})

test.each(['silent', 'ERROR', 'Warning'])('at level %s it is not said', (level) => {
  expect(firstLine(level, false)).toBe('')
})
