import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKeyring, mayUse } from './auth.ts'

const DIGEST = hash('sha256', 'third-key', 'hex')

const keyring = createKeyring([
  { key: 'first-key' },
  { key: 'second-key', name: 'ci', scopes: ['events'] },
  { key: `sha256:${DIGEST.toUpperCase()}`, name: 'ci', scopes: ['events', 'read'] },
])

test.each([
  [{ authorization: 'Bearer first-key' }, /^key_[0-9a-f]{8}$/],
  [{ authorization: 'bearer second-key' }, /^ci$/],
  [{ 'x-api-key': 'second-key' }, /^ci$/],
  [{ authorization: 'Basic abc', 'x-api-key': 'first-key' }, /^key_/],
  [{ authorization: 'Bearer third-key' }, /^ci$/],
])('knows %j', (headers, name) => {
  expect(keyring.verify(headers)?.name).toMatch(name)
})

test.each([
  {},
  { authorization: 'first-key' },
  { authorization: 'Bearer ' },
  { authorization: 'Bearer first-key2' },
  { authorization: 'Bearer first-ke' },
  { 'x-api-key': '' },
  { 'x-api-key': 'FIRST-KEY' },
  // Who has read the configuration has no key.
  { 'x-api-key': DIGEST },
  { 'x-api-key': `sha256:${DIGEST}` },
])('does not know %j', (headers) => {
  expect(keyring.verify(headers)).toBeUndefined()
})

test('names a key without giving it away, the same in both headers', () => {
  const name = keyring.verify({ authorization: 'Bearer first-key' })?.name
  expect(name).toBe(keyring.verify({ 'x-api-key': 'first-key' })?.name)
  expect(name).not.toContain('first')
})

test.each([
  ['first-key', true, true, true],
  ['second-key', true, false, false],
  ['third-key', true, true, false],
])('%s may use events: %s, read: %s, admin: %s', (key, events, read, admin) => {
  const holder = keyring.verify({ 'x-api-key': key })
  if (holder === undefined) throw new Error('unknown')
  expect([
    mayUse(holder, ['events']),
    mayUse(holder, ['read']),
    mayUse(holder, ['admin']),
    mayUse(holder, []),
  ]).toEqual([events, read, admin, admin])
})
