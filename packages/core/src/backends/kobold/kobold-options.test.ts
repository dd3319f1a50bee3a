import { expect, test } from 'vitest'
import { createKoboldBackend } from './create-kobold-backend.ts'
import { resolveKoboldOptions } from './kobold-options.ts'

test('the defaults are those of the table', () => {
  expect(resolveKoboldOptions({ url: 'http://localhost:5001/api' })).toMatchObject({
    url: 'http://localhost:5001',
    name: 'kobold',
    connectTimeoutMs: 5000,
    tokenTimeoutMs: 60_000,
    silenceProbeMs: 10_000,
    deadAfterMs: 15_000,
    abortIntervalMs: 250,
  })
})

test.each([
  ['url', 'nowhere at all'],
  ['name', ''],
  ['apiKey', 'line\nbreak'],
  ['apiKey', ''],
  ['model', ''],
  ['fetch', 'fetch'],
  ['clock', {}],
  ['logger', {}],
  ['connectTimeoutMs', 0],
  ['tokenTimeoutMs', Number.NaN],
  ['silenceProbeMs', -1],
  ['deadAfterMs', '15s'],
  ['abortIntervalMs', Number.POSITIVE_INFINITY],
  ['template', { user: ['only one'] }],
])('a bad %s throws a TypeError that names it', (option, value) => {
  const options = { url: 'http://localhost:5001', [option]: value }
  expect(() => createKoboldBackend(options)).toThrow(TypeError)
  expect(() => createKoboldBackend(options)).toThrow(new RegExp(`^${option} must`))
})

test('an error about a key does not show it', () => {
  const options = { url: 'http://localhost:5001', apiKey: 'geheim nis' }
  expect(() => createKoboldBackend(options)).not.toThrow(/geheim/)
})
