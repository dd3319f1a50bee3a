import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { silentLogger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import type { ConfigChangeBody, SettingBody, SettingsChange, SettingsChanger } from '../src/index.ts'
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

/** A port that anybody may change, and who did. */
function openSettings() {
  let settings: SettingBody[] = [{ ...PORT, origin: { kind: 'default' }, locked: false }]
  const changes: ConfigChangeBody[] = []
  const asked: SettingsChange[] = []
  /** A change takes as long. */
  const writing = { until: Promise.resolve() }
  const changer: SettingsChanger = {
    changes: () => changes.toReversed(),
    async change(change) {
      asked.push(change)
      const { by, set } = change
      await writing.until
      if (set.port === 'taken') return { ok: false, failure: { code: 'conflict', details: 'PORT sets it.' } }
      const [before] = settings
      settings = settings.map((one) => ({ ...one, value: set.port ?? 5000, origin: { kind: 'console' } }))
      const made = { at: new Date(0).toISOString(), by, key: 'port', before: before?.value, after: set.port }
      changes.push(made)
      return { ok: true, changes: [{ ...made, live: false }] }
    },
  }
  return { asked, writing, settings: async () => settings, changer }
}

const KEYS = [
  { key: 'r', name: 'reader', scopes: ['read'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
] as const

test('a change is made to the revision that its author has seen, and is told to all who read the feed', async () => {
  const lines: unknown[] = []
  const { asked, settings, changer } = openSettings()
  await using desk = await openControl({
    server: { apiKeys: KEYS },
    control: {
      ...{ settings, changer },
      logger: { ...silentLogger, info: (message, fields) => void lines.push({ message, ...fields }) },
    },
  })
  const { body: before, headers } = await desk.ask('GET', '/config', { key: 'a' })
  expect(headers.etag).toBe(`"${before.revision}"`)
  const patch = (key: string, body: unknown, revision?: string) =>
    desk.ask('PATCH', '/config', { key, body, ...(revision && { headers: { 'if-match': revision } }) })
  const body = { set: { port: 65_432 } }
  expect(await patch('r', body, before.revision)).toMatchObject({ status: 403 })
  expect(await patch('a', body)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  expect(await patch('a', body, 'abc')).toMatchObject({ status: 409, body: { error: 'conflict' } })
  const feed = desk.send('GET', '/feed?only=config', { key: 'r' })
  const [stream] = (await once(feed, 'response')) as [IncomingMessage]
  const told = readFrames(stream)
  expect((await told.next()).value).toContain('event: hello')
  expect(asked).toEqual([])
  const changed = await patch('a', body, `"${before.revision}"`)
  expect(changed).toMatchObject({
    status: 200,
    body: {
      object: 'changed_config',
      changes: [{ by: 'boss', key: 'port', before: 5000, after: 65_432, live: false }],
    },
  })
  const { revision } = changed.body
  expect(revision).not.toBe(before.revision)
  expect(changed.headers.etag).toBe(`"${revision}"`)
  expect((await told.next()).value).toContain(`event: config\ndata: {"revision":"${revision}"}`)
  feed.destroy()
  expect(asked).toEqual([{ set: { port: 65_432 }, unset: [], by: 'boss' }])
  expect(lines).toMatchObject([{ message: 'operator acted', action: 'configure', key: 'port', by: 'boss' }])
  expect(JSON.stringify(lines)).not.toContain('65432')
  expect((await desk.ask('GET', '/config/changes', { key: 'r' })).status).toBe(403)
  const { body: list } = await desk.ask('GET', '/config/changes', { key: 'a' })
  expect(list).toMatchObject({ object: 'list', data: [{ key: 'port', before: 5000, after: 65_432 }] })
})

test('of two changes at once one is refused, also while the first is being made', async () => {
  const { asked, writing, settings, changer } = openSettings()
  const written = Promise.withResolvers<void>()
  writing.until = written.promise
  await using desk = await openControl({ control: { settings, changer } })
  const { revision } = (await desk.ask('GET', '/config')).body
  const patch = (port: number) =>
    desk.ask('PATCH', '/config', { body: { set: { port } }, headers: { 'if-match': revision } })
  const first = patch(1)
  await expect.poll(() => asked.length).toBe(1)
  const second = patch(2)
  // Long enough for the second to be read.
  for (let round = 0; round < 3; round++) await desk.ask('GET', '/config')
  written.resolve()
  expect(await first).toMatchObject({ status: 200 })
  const { status, body } = await second
  const { body: now } = await desk.ask('GET', '/config')
  expect({ status, details: body.details }).toMatchObject({
    status: 409,
    details: expect.stringContaining(now.revision),
  })
  expect(asked).toHaveLength(1)
})

test.each([
  [{}, 'at least one key'],
  [[], 'at least one key'],
  [{ set: {}, unset: [] }, 'at least one key'],
  [{ set: { port: 1 }, unsett: ['host'] }, 'at least one key'],
  [{ set: { port: 1 }, unset: ['port'] }, 'stands there twice'],
])('the change %j is refused', async (body, details) => {
  const { asked, settings, changer } = openSettings()
  await using desk = await openControl({ control: { settings, changer } })
  const { revision } = (await desk.ask('GET', '/config')).body
  const refused = await desk.ask('PATCH', '/config', { body, headers: { 'if-match': revision } })
  expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_input_format' } })
  expect(refused.body.details).toContain(details)
  expect(asked).toEqual([])
})

test('what the changer refuses is answered, and the next change goes on', async () => {
  const { settings, changer } = openSettings()
  await using desk = await openControl({ control: { settings, changer } })
  const { revision } = (await desk.ask('GET', '/config')).body
  const patch = (port: unknown) =>
    desk.ask('PATCH', '/config', { body: { set: { port } }, headers: { 'if-match': revision } })
  expect(await patch('taken')).toMatchObject({ status: 409, body: { details: 'PORT sets it.' } })
  expect(await patch(81)).toMatchObject({ status: 200 })
})

test('settings that can only be read have no such routes', async () => {
  await using desk = await openControl({ control: { settings: openSettings().settings } })
  expect((await desk.ask('GET', '/config')).status).toBe(200)
  expect((await desk.ask('GET', '/config/changes')).status).toBe(404)
  expect((await desk.ask('PATCH', '/config', { body: {} })).status).toBe(405)
})

/** The frames of a feed, one after another. */
async function* readFrames(stream: IncomingMessage): AsyncGenerator<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    text += chunk
    const frames = text.split('\n\n')
    text = frames.pop() ?? ''
    yield* frames.filter((frame) => !frame.startsWith(':'))
  }
}
