import { expect, test } from 'vitest'
import type { SettingBody } from '../../api/config.ts'
import { backendsOf, bodyOf, fieldOf, matching, readField, without } from './drafts.ts'

const setting = (given: Partial<SettingBody>): SettingBody => ({
  ...{ key: 'port', value: 5000, origin: { kind: 'default' }, default: 5000, secret: false, live: false },
  ...{ locked: false, schema: { type: 'integer' }, summary: 'Port to listen on.', ...given },
})

test.each([
  [{ type: 'integer', minimum: 1, maximum: 9 }, '7', { value: 7 }],
  [{ type: 'number' }, '0.5', { value: 0.5 }],
  [{ type: 'integer' }, 'seven', undefined],
  [{ type: 'integer' }, '"7"', undefined],
  [{ type: 'boolean' }, 'false', { value: false }],
  [{ enum: ['full', 'off'] }, 'off', { value: 'off' }],
  [{ enum: ['full', 'off'] }, 'on', undefined],
  [{ type: 'string' }, '7', { value: '7' }],
  [{ type: 'array' }, '["a"]', { value: ['a'] }],
  [{ type: 'object' }, '{"a":', undefined],
  [{ anyOf: [] }, 'false', { value: false }],
])('by the schema %j, %s is %j', (schema, text, value) => {
  expect(readField(fieldOf({ schema }), text)).toEqual(value)
})

test('drafts become one request', () => {
  const drafts = {
    port: { kind: 'set', value: 81 },
    host: { kind: 'unset' },
    gone: { kind: 'unset' },
  } as const
  expect(bodyOf(without(drafts, 'gone'))).toEqual({ set: { port: 81 }, unset: ['host'] })
})

test('settings are found by all words, and by whether they differ', () => {
  const host = setting({ key: 'host', summary: 'Address to listen on.', origin: { kind: 'console' } })
  const all = [setting({}), host]
  expect(matching(all, { text: 'LISTEN port', isChanged: false })).toEqual([all[0]])
  expect(matching(all, { text: '', isChanged: true })).toEqual([host])
})

test('backends are named by their settings, but for those that cannot be changed here', () => {
  const type = (name: string, locked: boolean) => setting({ key: `backends.${name}.type`, locked })
  expect(
    backendsOf([type('gpu.lan', false), setting({ key: 'backends.gpu.lan.url' }), type('x', true)]),
  ).toEqual(['gpu.lan'])
})
