import { createCallbackPolicy, createCallbackSender } from '@ai-ticket/tickets'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { CallbackAllowSchema, CallbackPrivateSchema, CallbackSecretSchema } from './callback-schema.ts'

// What the configuration lets pass must never stop the server later, nor the other way round.

const throws = (work: () => unknown): boolean => {
  try {
    work()
    return false
  } catch {
    return true
  }
}

test.each([
  ...['https://hooks.example.com/*', 'https://hooks.example.com', 'http://[::1]:8080/a', 'https://*/*'],
  ...[
    'https://*.example.com:8443/a/*',
    'https://*.example.com',
    'https://bücher.example/',
    'HTTPS://A.example/',
  ],
  ...[
    '',
    '*',
    'https://*',
    'https://a.example*',
    'https://a.*.example/',
    'https://a.example/a*b',
    'ftp://a.example/',
  ],
  ...['https://u@a.example/', 'https://a.example/?x', 'https://a.example/#x', 'https://a.example:99999/'],
  ...['https://[::zz]/', 'https://a b.example/', 'https://*.[::1]/', 'https:///x', 'https://*./x'],
])('judges the address %s as the sender does', (pattern) => {
  const { success } = v.safeParse(CallbackAllowSchema, [pattern])
  expect(success).toBe(!throws(() => createCallbackPolicy({ allow: [pattern] })))
})

test.each([
  '10.0.0.0/8',
  '127.0.0.1',
  '::1',
  'fd00::/8',
  '',
  '10.0.0.0/33',
  '10/8',
  'fd00::/129',
  '10.0.0.0/8/8',
])('judges the network %s as the sender does', (network) => {
  const { success } = v.safeParse(CallbackPrivateSchema, [network])
  expect(success).toBe(!throws(() => createCallbackPolicy({ allow: [], privateNetworks: [network] })))
})

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 'k').toString('base64')}`

test.each([secretOf(24), secretOf(64), secretOf(23), secretOf(65), 'whsec_', 'secret', `${secretOf(24)}!`])(
  'judges the secret %s as the sender does',
  (secret) => {
    const policy = createCallbackPolicy({ allow: [] })
    const store = { callbacks: { subscribe: () => () => {} } } as never
    const { success } = v.safeParse(CallbackSecretSchema, [secret])
    expect(success).toBe(!throws(() => createCallbackSender({ store, policy, secrets: [secret] })))
  },
)
