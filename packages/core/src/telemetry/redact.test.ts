import { expect, test } from 'vitest'
import { redact } from './consola-logger.ts'

test('hides what a telling key holds, at any depth, and keeps token counts', () => {
  const seen = redact({
    headers: { Authorization: 'Bearer a', 'x-api-key': 'b', cookie: 'c', host: 'localhost' },
    apiKey: 'd',
    db: [{ password: 'e', access_token: 'f', client_secret: { deep: 'g' } }],
    usage: { prompt_tokens: 7, max_tokens: 512 },
  })
  expect(seen).toEqual({
    headers: {
      Authorization: '[redacted]',
      'x-api-key': '[redacted]',
      cookie: '[redacted]',
      host: 'localhost',
    },
    apiKey: '[redacted]',
    db: [{ password: '[redacted]', access_token: '[redacted]', client_secret: '[redacted]' }],
    usage: { prompt_tokens: 7, max_tokens: 512 },
  })
})

test('survives circles, depth, size, and getters that throw', () => {
  const circle: Record<string, unknown> = { name: 'circle' }
  circle.self = circle
  const deep = { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }
  const trap = {
    get bomb() {
      throw new Error('no')
    },
  }
  expect(redact(circle)).toEqual({ name: 'circle', self: '[circular]' })
  expect(redact(deep)).toEqual({ a: { b: { c: { d: { e: { f: '[too deep]' } } } } } })
  expect(redact('x'.repeat(3_000))).toBe(`${'x'.repeat(2_048)}… (952 more)`)
  expect(redact(trap)).toEqual({ bomb: '[unreadable]' })
  expect(redact([10n, Buffer.alloc(3), new Date(0), new Date(Number.NaN)])).toEqual([
    '10',
    '[3 bytes]',
    '1970-01-01T00:00:00.000Z',
    '[invalid date]',
  ])
  expect(redact(new Array(102).fill(1))).toHaveLength(101)
})

test('the same object twice side by side is no circle', () => {
  const shared = { n: 1 }
  expect(redact({ left: shared, right: shared })).toEqual({ left: { n: 1 }, right: { n: 1 } })
})

test('shows what an error hides from JSON', () => {
  const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), {
    code: 'E',
    token: 't',
  })
  expect(redact(error)).toMatchObject({
    name: 'Error',
    message: 'outer',
    stack: expect.stringContaining('redact.test.ts'),
    code: 'E',
    token: '[redacted]',
    cause: { name: 'TypeError', message: 'inner' },
  })
})
