import { expect, test } from 'vitest'
import type { SettingBody } from '../src/index.ts'
import { openControl } from './open-control.ts'

const PORT: SettingBody = {
  key: 'port',
  value: 5000,
  origin: { kind: 'environment', name: 'PORT' },
  default: 5000,
  secret: false,
  live: false,
  locked: true,
  schema: { type: 'integer' },
  summary: 'Port to listen on.',
}

test('shows the settings to admins alone, with a revision that follows what is set', async () => {
  const apiKeys = [
    { key: 'er', name: 'both', scopes: ['events', 'read'] },
    { key: 'a', name: 'boss', scopes: ['admin'] },
  ] as const
  let settings = [PORT]
  await using desk = await openControl({ server: { apiKeys }, control: { settings: async () => settings } })
  expect(await desk.ask('GET', '/config', { key: 'er' })).toMatchObject({ status: 403 })
  const first = await desk.ask('GET', '/config', { key: 'a' })
  expect(first.status).toBe(200)
  expect(first.headers['cache-control']).toBe('no-store')
  expect(first.body).toEqual({
    object: 'config',
    revision: expect.stringMatching(/^[0-9a-f]{12}$/),
    settings: [PORT],
  })
  expect((await desk.ask('GET', '/config', { key: 'a' })).body.revision).toBe(first.body.revision)
  settings = [{ ...PORT, value: 5001 }]
  expect((await desk.ask('GET', '/config', { key: 'a' })).body.revision).not.toBe(first.body.revision)
})

test('without settings there is no such route', async () => {
  await using desk = await openControl()
  expect(await desk.ask('GET', '/config')).toMatchObject({ status: 404 })
})
