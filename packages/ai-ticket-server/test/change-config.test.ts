import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { runProgram, SERVER, startServer } from './run-program.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

const newFolder = () => mkdtempSync(join(tmpdir(), 'ai-ticket-config-'))

/** A server with a folder and a file of its own, which can be started again. */
async function open(
  simulator: KoboldSimulator,
  given: { environment?: Record<string, string>; file?: object } = {},
) {
  const folder = newFolder()
  const file = join(folder, 'desk.json')
  const backends = [{ name: 'box', type: 'kobold', url: simulator.url }]
  writeFileSync(
    file,
    JSON.stringify({
      backends,
      retries: { backoff_base_ms: 1, backoff_cap_ms: 1, budget_floor: 1_000 },
      ...given.file,
    }),
  )
  const environment = { AI_TICKET_DATA_DIR: join(folder, 'data'), ...given.environment }
  const start = () => startServer(['--config', file], environment)
  return { start, file, environment, kept: join(folder, 'data', 'console.json') }
}

type Server = Awaited<ReturnType<typeof startServer>>

async function ask(server: Server, path: string, init: RequestInit = {}) {
  const response = await fetch(server.url + path, init)
  return { status: response.status, body: JSON.parse(await response.text()) }
}

async function settings(server: Server) {
  const { body } = await ask(server, '/config')
  const all = new Map<string, Record<string, unknown>>(
    body.settings.map((one: { key: string }) => [one.key, one]),
  )
  return { revision: body.revision as string, of: (key: string) => all.get(key) }
}

async function patch(server: Server, body: object, revision?: string) {
  const headers = {
    'content-type': 'application/json',
    'if-match': revision ?? (await settings(server)).revision,
  }
  return ask(server, '/config', { method: 'PATCH', headers, body: JSON.stringify(body) })
}

const event = (server: Server, body: object = {}) =>
  ask(server, '/event', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'Why?', ...body }),
  })

/** Calls of the endpoint that was asked first. */
const callsOf = ({ body }: Awaited<ReturnType<typeof event>>) =>
  body.attempts.filter(({ endpoint }: { endpoint: string }) => endpoint === 'chat').length

test('the next event obeys another number of attempts, and a restart keeps it', async () => {
  await using simulator = await startKoboldSimulator({
    ...AT_ONCE,
    faults: [{ fault: 'status', status: 500 }],
  })
  const desk = await open(simulator)
  {
    await using server = await desk.start()
    expect(callsOf(await event(server))).toBe(3)
    const before = await settings(server)
    expect(before.of('retries.attempts')).toMatchObject({ value: 3, origin: { kind: 'default' }, live: true })
    const changed = await patch(server, { set: { 'retries.attempts': 1 } }, before.revision)
    expect(changed).toMatchObject({
      status: 200,
      body: { changes: [{ key: 'retries.attempts', before: 3, after: 1, live: true, by: '127.0.0.1' }] },
    })
    expect(callsOf(await event(server))).toBe(1)
    expect(await server.waitForLine(/^operator acted/)).toMatchObject({
      action: 'configure',
      key: 'retries.attempts',
      by: '127.0.0.1',
    })
    expect(statSync(desk.kept).mode & 0o777).toBe(0o600)
    expect(existsSync(`${desk.kept}.tmp`)).toBe(false)
  }
  await using server = await desk.start()
  const after = await settings(server)
  expect(after.of('retries.attempts')).toMatchObject({ value: 1, default: 3, origin: { kind: 'console' } })
  expect(callsOf(await event(server))).toBe(1)
  expect((await ask(server, '/config/changes')).body.data).toMatchObject([
    { key: 'retries.attempts', after: 1 },
  ])
  expect(await patch(server, { unset: ['retries.attempts'] })).toMatchObject({
    status: 200,
    body: { changes: [{ before: 1, after: 3 }] },
  })
  expect(callsOf(await event(server))).toBe(3)
  expect((await settings(server)).revision).not.toBe(after.revision)
})

test('log level, history, defaults and line change at once; what waits for a restart says so', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const { start } = await open(simulator)
  await using server = await start()
  const changed = await patch(server, {
    set: {
      ...{ log_level: 'debug', history: 'off', keep_days: 1, context_policy: 'cut_left', drain_ms: 7 },
      ...{ 'generation.max_tokens': 9, 'line.capacity': 4, 'line.overtake_ms': 0 },
    },
  })
  expect(changed.status).toBe(200)
  const waits = changed.body.changes.filter(({ live }: { live: boolean }) => !live)
  expect(waits).toMatchObject([{ key: 'drain_ms', before: 25_000, after: 7 }])
  expect((await settings(server)).of('drain_ms')).toMatchObject({ value: 7, running: 25_000, live: false })
  expect((await settings(server)).of('history')).not.toHaveProperty('running')
  expect((await ask(server, '/me')).body).toMatchObject({ history: 'off' })
  expect((await ask(server, '/line')).body).toMatchObject({ capacity: 4 })
  const { body } = await event(server, { id: 'evt_unkept' })
  expect(body).toHaveProperty('completion')
  expect(simulator.calls.at(-1)?.body).toMatchObject({ max_tokens: 9 })
  expect((await ask(server, '/tickets?event_id=evt_unkept')).body.data).toEqual([])
  const levelsOf = (id: string) =>
    server.lines.filter((line) => JSON.stringify(line).includes(id)).map(({ level }) => level)
  await expect.poll(() => levelsOf('evt_unkept')).toContain('debug')
  await patch(server, { set: { log_level: 'error' } })
  await event(server, { id: 'evt_unsaid' })
  // The log is read in its order: where a later line has come, an earlier one would have.
  await patch(server, { set: { log_level: 'info' } })
  await event(server, { id: 'evt_said' })
  await expect.poll(() => levelsOf('evt_said')).not.toEqual([])
  expect(levelsOf('evt_unsaid')).toEqual([])
})

test('backends come, change and go while it runs', async () => {
  await using simulator = await startKoboldSimulator({ ...AT_ONCE, concurrency: 2 })
  await using other = await startKoboldSimulator(AT_ONCE)
  const { start } = await open(simulator)
  await using server = await start()
  const names = async () =>
    (await ask(server, '/backends')).body.backends.map((one: { name: string; concurrency: number }) => [
      one.name,
      one.concurrency,
    ])
  const added = await patch(server, {
    set: { 'backends.other.lan': { type: 'kobold', url: other.url }, 'backends.box.concurrency': 2 },
  })
  expect(added).toMatchObject({
    status: 200,
    body: {
      changes: [
        { key: 'backends.other.lan', before: null, after: { type: 'kobold', url: other.url }, live: true },
        { key: 'backends.box.concurrency', before: null, after: 2, live: true },
      ],
    },
  })
  expect(await names()).toEqual([
    ['box', 2],
    ['other.lan', 1],
  ])
  // It is asked at once whether it answers.
  await expect
    .poll(async () => (await ask(server, '/backends')).body.backends[1])
    .toMatchObject({ name: 'other.lan', state: 'ready' })
  expect((await event(server, { backend: 'other.lan' })).body).toMatchObject({ backend: 'other.lan' })
  expect((await settings(server)).of('backends.other.lan.url')).toMatchObject({ origin: { kind: 'console' } })
  expect((await settings(server)).of('backends.box.url')).toMatchObject({ origin: { kind: 'file' } })
  expect(await patch(server, { set: { 'backends.box': null } })).toMatchObject({ status: 200 })
  expect(await names()).toEqual([['other.lan', 1]])
  expect((await event(server)).body).toMatchObject({ backend: 'other.lan' })
  const none = await patch(server, { set: { 'backends.other.lan': null } })
  expect(none).toMatchObject({
    status: 400,
    body: { details: expect.stringContaining('Keep at least one.') },
  })
  expect(await patch(server, { unset: ['backends.box'] })).toMatchObject({ status: 200 })
  expect(await names()).toEqual([
    ['box', 2],
    ['other.lan', 1],
  ])
})

test.each([
  [
    { 'retries.attempts': 'many' },
    400,
    'retries.attempts in this change is a text, but must be a whole number from 1 to 100',
  ],
  [
    { 'retries.atempts': 2 },
    400,
    'retries.atempts in this change is not a known setting. Did you mean "retries.attempts"?',
  ],
  [{ drain_ms: -1 }, 400, 'drain_ms in this change is the number -1'],
  [{ callback_secret: ['whsec_x'] }, 400, 'is a secret. Set the variable AI_TICKET_CALLBACK_SECRET instead'],
  [{ data_dir: '/tmp' }, 409, 'data_dir is set by AI_TICKET_DATA_DIR'],
  [{ 'backends.none.concurrency': 2 }, 400, 'backends.none.concurrency: there is no such backend.'],
  [{ 'backends.box.concurency': 2 }, 400, 'is not a known key of this backend'],
  [{ 'backends.box.api_key': 'sk-typed' }, 400, 'Set "api_key_env"'],
  [{ 'backends.new': { type: 'kobold' } }, 400, 'backends.new.url in this change is missing'],
  [{ keep_days: 3 }, 409, 'keep_days is set by AI_TICKET_KEEP_DAYS, which stands over what is set here.'],
  [{ host: '0.0.0.0' }, 409, 'no API keys are set'],
])('the change %j is refused, and nothing of it is made', async (set, status, details) => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const { start, kept } = await open(simulator, { environment: { AI_TICKET_KEEP_DAYS: '9' } })
  await using server = await start()
  const { revision } = await settings(server)
  const refused = await patch(server, { set: { 'line.capacity': 2, ...set } }, revision)
  expect(refused.body.details).toContain(details)
  expect(refused.status).toBe(status)
  expect(JSON.stringify(refused.body)).not.toMatch(/sk-typed|whsec_x/)
  expect((await settings(server)).revision).toBe(revision)
  expect((await ask(server, '/line')).body).toMatchObject({ capacity: 1_000 })
  expect(existsSync(kept)).toBe(false)
})

test('secrets are masked in the settings, in their history, and in the log', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const digest = 'a'.repeat(64)
  const { start } = await open(simulator, { environment: { BOX_KEY: 'sk-of-the-box' } })
  await using server = await start()
  const set = {
    api_keys: [{ name: 'boss', sha256: digest }],
    'backends.keyed': { type: 'kobold', url: simulator.url, api_key_env: 'BOX_KEY' },
  }
  const changed = await patch(server, { set })
  expect(changed.body.changes).toMatchObject([
    { key: 'api_keys', before: [], after: ['boss=***'], live: false },
    { key: 'backends.keyed', before: null, after: { api_key: '***' }, live: true },
  ])
  const shown = JSON.stringify([
    changed.body,
    (await ask(server, '/config')).body,
    (await ask(server, '/config/changes')).body,
    server.lines,
  ])
  expect(shown).not.toMatch(/sk-of-the-box|aaaaaaaa/)
})

test.each([
  ['torn', '{"settings":{"port":81', /console\.json is not valid JSON\. Correct it; or remove it/],
  ['of another shape', '{"port":81}', /console\.json does not hold an object with "settings" and "changes"/],
  [
    'with a wrong value',
    '{"settings":{"retries.attempts":0},"changes":[]}',
    /retries\.attempts in \S*console\.json is the number 0, but must be a whole number from 1 to 100\. Correct it, or remove it\./,
  ],
  [
    'with a key unknown',
    '{"settings":{"prot":1},"changes":[]}',
    /prot in \S*console\.json is not a known setting\. Did you mean "port"\?/,
  ],
])('a console.json that is %s stops the start, and says what to do', async (_how, text, message) => {
  const folder = newFolder()
  writeFileSync(join(folder, 'console.json'), text)
  const environment = { AI_TICKET_DATA_DIR: folder }
  const { code, stderr } = await runProgram(SERVER, ['--port', '0', '--kobold-url', 'http://127.0.0.1:9'], {
    environment,
  })
  expect(stderr).toMatch(message)
  expect(code).toBe(78)
})

test('what is set of a backend that the file has lost is a warning, not the end', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const desk = await open(simulator)
  {
    await using server = await desk.start()
    expect((await patch(server, { set: { 'backends.box.concurrency': 3 } })).status).toBe(200)
  }
  const content = JSON.parse(readFileSync(desk.file, 'utf8'))
  writeFileSync(
    desk.file,
    JSON.stringify({ ...content, backends: [{ ...content.backends[0], name: 'big' }] }),
  )
  await using server = await desk.start()
  await server.waitForLine(
    /^backends\.box\.concurrency in \S*console\.json is not used: there is no such backend\./,
  )
})

test('a server that keeps nothing on disk changes nothing, and says why', async () => {
  await using server = await startServer(['--kobold-url', 'http://127.0.0.1:9'])
  expect(await patch(server, { set: { 'retries.attempts': 1 } })).toMatchObject({
    status: 409,
    body: { error: 'conflict', details: expect.stringContaining('Set AI_TICKET_DATA_DIR') },
  })
})

test('of two changes at once one is refused, and the file is whole', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const { start, kept } = await open(simulator)
  await using server = await start()
  const { revision } = await settings(server)
  const both = await Promise.all(
    [1, 2].map((attempts) => patch(server, { set: { 'retries.attempts': attempts } }, revision)),
  )
  expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409])
  const made = both.find(({ status }) => status === 200)?.body.changes[0].after
  expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({ settings: { 'retries.attempts': made } })
})
