import { expect, test } from 'vitest'
import { openControl } from './open-control.ts'

const apiKeys = [
  { key: 'r', name: 'viewer', scopes: ['read', 'events'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
] as const

test('pauses, probes and resumes a backend, for the operator only', async () => {
  const lines: unknown[] = []
  const logger = {
    debug() {},
    info: (_: string, fields?: object) => void lines.push(fields),
    warn() {},
    error() {},
  }
  await using desk = await openControl({ server: { apiKeys }, control: { logger } })
  const post = (action: string, key: string) => desk.ask('POST', `/backends/b1/${action}`, { key })
  expect((await post('pause', 'r')).status).toBe(403)
  expect(await post('pause', 'a')).toMatchObject({
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: { name: 'b1', in_flight: 0, paused: { by: 'boss' } },
  })
  const answered = desk.ask('POST', '/event', { key: 'r', body: { content: 'Why?' } })
  await expect.poll(() => desk.dispatcher.report().line.waiting).toBe(1)
  expect((await post('probe', 'a')).body).toMatchObject({ state: 'ready', paused: { by: 'boss' } })
  expect((await desk.ask('GET', '/backends', { key: 'r' })).body.backends).toMatchObject([
    { paused: { by: 'boss' } },
  ])
  expect((await post('resume', 'a')).body).not.toHaveProperty('paused')
  expect(await answered).toMatchObject({ status: 200 })
  expect(lines).toMatchObject([
    { action: 'pause', backend: 'b1', by: 'boss' },
    { action: 'probe' },
    { action: 'resume' },
  ])
})

test('names the backends where there is none of that name', async () => {
  await using desk = await openControl()
  expect(await desk.ask('POST', '/backends/b9/pause')).toMatchObject({
    status: 404,
    body: { error: 'not_found', details: 'No backend has this name. Known: b1.' },
  })
})
