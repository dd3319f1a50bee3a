import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { CLI, runProgram, SERVER, startServer } from './run-program.ts'

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'ai-ticket-')), 'data')

const post = (url: string) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
    body: '{"content":"Hello","parameters":{"max_tokens":400}}',
  })

test('a killed server finishes its tickets after the next start, at once', async () => {
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: 50,
    answer: () => 'one two three four five '.repeat(100),
  })
  const environment = { KOBOLDCPP_API_URL: simulator.url, AI_TICKET_DATA_DIR: newFolder() }
  const first = await startServer([], environment)
  const accepted = await post(first.url)
  expect(accepted.status).toBe(202)
  await simulator.waitFor(({ generating }) => generating)
  first.child.kill('SIGKILL')
  await first.ended
  await using second = await startServer([], environment)
  // How long a program takes to start says more of the machine than of it.
  const startedAt = performance.now()
  await simulator.waitFor(({ aborts, calls }) => aborts.length > 0 && calls.length === 2)
  // Not when its lease ends, which takes 30 s.
  expect(performance.now() - startedAt).toBeLessThan(15_000)
  expect(simulator.aborts[0]?.genkey).toBe(simulator.calls[0]?.genkey)
  expect(await second.waitForLine(/^Prompts and answers are kept for 7 days.* in /)).toMatchObject({
    history: 'full',
  })
  const ticket = await fetch(`${second.url}${accepted.headers.get('location')}?wait=20s`)
  expect(await ticket.json()).toMatchObject({ status: 'completed', runs: 2 })
})

test('a second server on the same folder does not start, and says why', async () => {
  const environment = { AI_TICKET_DATA_DIR: newFolder(), KOBOLDCPP_API_URL: 'http://127.0.0.1:1' }
  await using _first = await startServer([], environment)
  const { code, stderr } = await runProgram(SERVER, ['--port', '0'], { environment })
  expect(code).toBe(73)
  expect(stderr).toContain(environment.AI_TICKET_DATA_DIR)
})

test('SIGTERM gives running tickets back to the queue', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 5 })
  const environment = {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_DATA_DIR: newFolder(),
    AI_TICKET_DRAIN_MS: '0',
  }
  const first = await startServer([], environment)
  const accepted = await post(first.url)
  await simulator.waitFor(({ generating }) => generating)
  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  await simulator.waitFor(({ generating }) => !generating)
  await using second = await startServer([], { ...environment, KOBOLDCPP_API_URL: 'http://127.0.0.1:1' })
  const ticket = await fetch(`${second.url}${accepted.headers.get('location')}`)
  expect(await ticket.json()).toMatchObject({ runs: expect.any(Number), event: { content: 'Hello' } })
})

test('the command lists, shows, cancels and replays tickets of a running server', async () => {
  // The replay goes on to the end of this test.
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 0.1 })
  await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url, AI_TICKET_API_KEYS: 'key' })
  const ask = (...words: string[]) =>
    runProgram(CLI, ['tickets', ...words, '--server', server.url], {
      environment: { AI_TICKET_API_KEYS: 'key' },
    })
  const accepted = await fetch(`${server.url}/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key' },
    body: '{"content":"Hello","id":"evt_mine"}',
  })
  const { id } = (await accepted.json()) as { id: string }
  expect((await ask('cancel', id)).code).toBe(0)
  expect(JSON.parse((await ask('show', id)).stdout)).toMatchObject({ id, status: 'cancelled' })
  expect(JSON.parse((await ask('replay', id)).stdout)).toMatchObject({ replay_of: id })
  const listed = await ask('list', '--status', 'cancelled')
  expect(listed.stdout).toMatch(new RegExp(`^${id}  cancelled .* evt_mine  cancelled\\n$`))
  expect((await ask('list', '--door', 'tickets', '--status', 'cancelled')).stdout).toBe(listed.stdout)
  expect((await ask('list', '--door', 'anthropic')).stdout).toBe('')
  expect(await ask('prune', '--older-than', '0s', '--dry-run')).toMatchObject({
    stdout: '1 would be removed\n',
  })
  expect(await ask('prune', '--keep', '0')).toMatchObject({ code: 0, stdout: '1 removed\n' })
  expect(await ask('prune', '--keep', '0', '--failed')).toMatchObject({ code: 2 })
  expect(await ask('show', 'tkt_unknown')).toMatchObject({ code: 65, stdout: '' })
  expect((await ask('drop', id)).code).toBe(2)
})

test('tickets list goes on where a page has stopped to look, until it has as many as were asked for', async () => {
  const asked: (string | null)[] = []
  const ticket = (id: string) => ({ id, status: 'failed', created_at: '', runs: 1, event_id: 'evt' })
  await using server = createServer(({ url }, response) => {
    const { searchParams } = new URL(url ?? '', 'http://desk')
    asked.push(searchParams.get('cursor'))
    const page = asked.length
    const data = page === 1 ? [] : [ticket(`tkt_${page}`)]
    response.end(JSON.stringify({ object: 'list', data, next_cursor: `after-${page}` }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const args = ['tickets', 'list', '--text', 'x', '--limit', '2', '--server', `http://127.0.0.1:${port}`]
  const { stdout } = await runProgram(CLI, args)
  expect(asked).toEqual([null, 'after-1', 'after-2'])
  expect(stdout.match(/^tkt_\d/gm)).toEqual(['tkt_2', 'tkt_3'])
})

test('tickets replay --status asks the events of many again, and says how many', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 100_000 })
  await using server = await startServer(['--kobold-url', simulator.url], { AI_TICKET_DATA_DIR: ':memory:' })
  const accept = async (index: number) => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ content: `Number ${index}` })
    return (await fetch(`${server.url}/tickets`, { method: 'POST', headers, body })).json()
  }
  const stats = async () => (await fetch(`${server.url}/tickets/stats`)).json()
  await Promise.all([1, 2, 3].map(accept))
  await expect.poll(stats, { timeout: 60_000 }).toMatchObject({ completed: 3 })
  const replay = (...words: string[]) =>
    runProgram(CLI, ['tickets', 'replay', ...words, '--server', server.url])
  expect(await replay('--status', 'completed', '--dry-run')).toMatchObject({
    code: 0,
    stdout: '3 would be replayed\n',
  })
  expect(await stats()).toMatchObject({ completed: 3 })
  expect(await replay('--status', 'failed')).toMatchObject({ code: 0, stdout: '0 of 0 replayed\n' })
  expect(await replay('--status', 'completed')).toEqual({
    code: 0,
    stdout: '3 of 3 replayed\n',
    stderr: '',
  })
  await expect.poll(stats, { timeout: 60_000 }).toMatchObject({ completed: 6 })
  for (const words of [[], ['tkt_1', '--status', 'failed']])
    expect(await replay(...words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--status failed'),
    })
})

test('tickets replay --status goes on until the server has looked through all, and lists what was refused', async () => {
  const asked: { readonly filter: unknown; readonly dry_run: boolean }[] = []
  const server = createServer(async (request, response) => {
    asked.push(JSON.parse(await text(request)))
    const isFirst = asked.length === 1
    const page = isFirst
      ? { matched: 500, done: 499, refused: [{ id: 'tkt_9', error: 'gone' }], next_cursor: 'c1' }
      : { matched: 7, done: 7, refused: [] }
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'bulk', ...page }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { code, stdout } = await runProgram(CLI, ['tickets', 'replay', '--status', 'failed', '--server', url])
  server.close()
  expect({ code, stdout }).toEqual({ code: 3, stdout: '506 of 507 replayed\ntkt_9 was refused: gone\n' })
  const filter = { status: 'failed', kind: 'ticket' }
  expect(asked).toEqual([
    { action: 'replay', filter, dry_run: false },
    { action: 'replay', filter: { ...filter, cursor: 'c1' }, dry_run: false },
  ])
})
