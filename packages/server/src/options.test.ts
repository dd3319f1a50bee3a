import { expect, test } from 'vitest'
import { fakeDispatcher } from '../test/fake-dispatcher.ts'
import { resolveServerOptions } from './options.ts'

const dispatcher = fakeDispatcher()

test('the defaults', () => {
  expect(resolveServerOptions({ dispatcher })).toMatchObject({
    apiKeys: [],
    allowedHosts: [],
    bodyLimitBytes: 16_777_216,
    trustProxy: false,
    pingIntervalMs: 15_000,
    requestTimeoutMs: 60_000,
  })
})

test.each([
  [{ bodyLimitBytes: 0 }, /^bodyLimitBytes must be/],
  [{ bodyLimitBytes: 1.5 }, /^bodyLimitBytes must be/],
  [{ pingIntervalMs: Number.NaN }, /^pingIntervalMs must be/],
  [{ requestTimeoutMs: -1 }, /^requestTimeoutMs must be/],
  [{ apiKeys: ['good', ''] }, /^apiKeys\[1\] is empty/],
])('%j is refused by name', (bad, message) => {
  expect(() => resolveServerOptions({ dispatcher, ...bad })).toThrow(message)
})

test('a key that is refused is not printed', () => {
  expect(() => resolveServerOptions({ dispatcher, apiKeys: ['my secret'] })).toThrow(/^(?!.*my secret)/)
})
