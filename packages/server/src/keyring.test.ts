import { expect, test } from 'vitest'
import { createKeyring } from './keyring.ts'

const keyring = createKeyring(['first-key', 'second-key'])

test.each([
  [{ authorization: 'Bearer first-key' }, 'key_'],
  [{ authorization: 'bearer second-key' }, 'key_'],
  [{ 'x-api-key': 'second-key' }, 'key_'],
  [{ authorization: 'Basic abc', 'x-api-key': 'first-key' }, 'key_'],
])('knows %j', (headers, prefix) => {
  expect(keyring.verify(headers)).toMatch(new RegExp(`^${prefix}[0-9a-f]{8}$`))
})

test.each([
  {},
  { authorization: 'first-key' },
  { authorization: 'Bearer ' },
  { authorization: 'Bearer first-key2' },
  { authorization: 'Bearer first-ke' },
  { 'x-api-key': '' },
  { 'x-api-key': 'FIRST-KEY' },
])('does not know %j', (headers) => {
  expect(keyring.verify(headers)).toBeUndefined()
})

test('names a key without giving it away, the same in both headers', () => {
  const name = keyring.verify({ authorization: 'Bearer first-key' })
  expect(name).toBe(keyring.verify({ 'x-api-key': 'first-key' }))
  expect(name).not.toBe(keyring.verify({ 'x-api-key': 'second-key' }))
  expect(name).not.toContain('first')
})
