import { expect, test } from 'vitest'
import { openControl } from './open-control.ts'

const apiKeys = [
  { key: 'e', name: 'sender', scopes: ['events'] },
  { key: 'er', name: 'both', scopes: ['events', 'read'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
] as const

test('says whose key it is, and what that may do', async () => {
  await using desk = await openControl({ server: { apiKeys }, control: { takesCallbacks: true } })
  const { status, headers, body } = await desk.ask('GET', '/me', { key: 'er' })
  expect(status).toBe(200)
  expect(headers['cache-control']).toBe('no-store')
  expect(body).toEqual({
    object: 'caller',
    name: 'both',
    scopes: ['events', 'read'],
    keys: true,
    version: '1.2.3',
    worker: 'desk-1',
    started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    store: 'sqlite',
    history: 'full',
    callbacks: true,
  })
  expect((await desk.ask('GET', '/me', { key: 'e' })).body.scopes).toEqual(['events'])
  expect((await desk.ask('GET', '/me', { key: 'a' })).body.scopes).toEqual(['events', 'read', 'admin'])
})

test('without a key there is no caller, and without keys everybody may do everything', async () => {
  await using closed = await openControl({ server: { apiKeys } })
  expect(await closed.ask('GET', '/me')).toMatchObject({ status: 401, body: { error: 'unauthorised' } })
  await using open = await openControl()
  expect((await open.ask('GET', '/me')).body).toMatchObject({
    name: null,
    keys: false,
    scopes: ['events', 'read', 'admin'],
    callbacks: false,
  })
})
