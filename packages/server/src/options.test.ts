import { expect, test } from 'vitest'
import { fakeDispatcher } from '../test/fake-dispatcher.ts'
import { resolveServerOptions, type ServerOptions } from './options.ts'

const dispatcher = fakeDispatcher()

test('the defaults', () => {
  expect(resolveServerOptions({ dispatcher })).toMatchObject({
    apiKeys: [],
    allowedHosts: [],
    bodyLimitBytes: 16_777_216,
    trustProxy: false,
    pingIntervalMs: 15_000,
    requestTimeoutMs: 60_000,
    maxConnections: 10_000,
  })
})

test.each([
  [{ bodyLimitBytes: 0 }, /^bodyLimitBytes must be/],
  [{ bodyLimitBytes: 1.5 }, /^bodyLimitBytes must be/],
  [{ pingIntervalMs: Number.NaN }, /^pingIntervalMs must be/],
  [{ rateLimit: { requests: 0, windowMs: 1 } }, /^rateLimit must have/],
  [{ rateLimit: { requests: 1, windowMs: 1, burst: 0.5 } }, /^rateLimit must have/],
  [{ priorities: { event: 101 } }, /^priorities\.event must be a whole number from -100 to 100/],
  [{ apiKeys: [{ key: 'a', maxPriority: 1.5 }] }, /^apiKeys\[0\] has a priority or maxPriority/],
  [{ apiKeys: [{ key: 'a', rateLimit: { requests: 1, windowMs: 0 } }] }, /^apiKeys\[0\] has a rateLimit/],
  [{ maxConnections: 0 }, /^maxConnections must be/],
  [{ requestTimeoutMs: -1 }, /^requestTimeoutMs must be/],
  [{ apiKeys: ['good', ''] }, /^apiKeys\[1\] is empty/],
  [{ apiKeys: [{ key: 'good', name: 'a b' }] }, /^apiKeys\[0\] has a name/],
  [{ apiKeys: [{ key: 'good', scopes: ['all'] }] }, /^apiKeys\[0\] has an unknown scope/],
  [{ apiKeys: [{ key: 'good', scopes: [] }] }, /^apiKeys\[0\] has an unknown scope/],
  [{ apiKeys: ['sha256:12'] }, /^apiKeys\[0\] begins with sha256:/],
  [{ apiKeys: ['one', { key: 'two' }, { key: 'one', name: 'again' }] }, /^apiKeys\[2\] is a key that/],
])('%j is refused by name', (bad, message) => {
  expect(() => resolveServerOptions({ dispatcher, ...(bad as Partial<ServerOptions>) })).toThrow(message)
})

test('a key that is refused is not printed', () => {
  expect(() => resolveServerOptions({ dispatcher, apiKeys: ['my secret'] })).toThrow(/^(?!.*my secret)/)
})
