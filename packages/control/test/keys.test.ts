import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { openControl } from './open-control.ts'

const HOUR = 3_600_000

const apiKeys = [
  { key: 'secret-1', name: 'sender', scopes: ['events'], rateLimit: { requests: 5, windowMs: HOUR } },
  { key: 'secret-2', name: 'boss', scopes: ['admin'], rateLimit: false, priority: 10, maxPriority: 20 },
  { key: `sha256:${hash('sha256', 'secret-3')}`, scopes: ['read'] },
] as const

test('shows admins who may ask, what is left to each and when it was seen, and no key', async () => {
  const rateLimit = { requests: 60, windowMs: HOUR, burst: 9 }
  await using desk = await openControl({ server: { apiKeys, rateLimit } })
  const before = Date.now()
  expect(await desk.ask('GET', '/keys', { key: 'secret-1' })).toMatchObject({ status: 403 })
  await desk.ask('GET', '/me', { key: 'secret-1' })
  const { status, headers, body } = await desk.ask('GET', '/keys', { key: 'secret-2' })
  expect(status).toBe(200)
  expect(headers['cache-control']).toBe('no-store')
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT/)
  expect(body).toEqual({
    object: 'list',
    data: [
      {
        name: 'sender',
        scopes: ['events'],
        rate_limit: { requests: 5, window_ms: HOUR, burst: 5 },
        left: 3,
        last_seen_at: time,
      },
      {
        name: 'boss',
        scopes: ['admin'],
        rate_limit: null,
        last_seen_at: time,
        priority: 10,
        max_priority: 20,
      },
      {
        name: expect.stringMatching(/^key_[0-9a-f]{8}$/),
        scopes: ['read'],
        rate_limit: { requests: 60, window_ms: HOUR, burst: 9 },
        left: 9,
      },
    ],
  })
  expect(Date.parse(body.data[0].last_seen_at)).toBeGreaterThanOrEqual(before)
  expect(JSON.stringify(body)).not.toMatch(/secret|sha256/)
  // To look takes nothing away.
  const again = await desk.ask('GET', '/keys', { key: 'secret-2' })
  expect(again.body.data[0].left).toBe(3)
})

test('where no keys are wanted, the list is empty', async () => {
  await using desk = await openControl()
  expect((await desk.ask('GET', '/keys')).body).toEqual({ object: 'list', data: [] })
})
