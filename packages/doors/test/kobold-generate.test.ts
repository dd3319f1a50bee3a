import { loadExchange } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { koboldDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'
import { shapeOf } from './shape-of.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** Sends a recorded request to a door. */
async function replay(url: string, name: string) {
  const { request, response } = loadExchange('1.115.1', name)
  const { method, path, body } = request
  const reply = await fetch(url + path, {
    method,
    headers: body === undefined ? {} : JSON_TYPE,
    ...(body !== undefined && { body }),
  })
  return { status: reply.status, text: await reply.text(), recorded: response }
}

test.each([
  'generate-normal',
  'generate-memory',
  'generate-latest-alias',
  'generate-stop-sequence-trim',
  'generate-stop-sequence-string',
  'generate-max-length-0',
  'generate-max-length-negative',
  'generate-defaults-only-prompt',
  'generate-grammar',
  'generate-unknown-fields',
  'generate-no-content-type',
  'abort-idle',
  'abort-idle-unknown-genkey',
  'abort-no-body',
  'check-post-idle-unknown-genkey',
  'check-post-idle',
  'check-get-idle',
  'get-extra-perf-idle',
  'tokencount',
  'tokencount-missing-prompt',
  'tokencount-no-special',
  'tokencount-empty',
  'tokencount-malformed-json',
])('%s is answered in the shape that KoboldCPP 1.115.1 has', async (name) => {
  const answer = () => 'One day, she saw a big, red ball, and then a small one, and another.'
  await using door = await openDoor(koboldDoor, name.includes('stop') ? { simulator: { answer } } : {})
  const { status, text, recorded } = await replay(door.url, name)
  expect(status).toBe(recorded.status)
  const [ours, theirs] = [JSON.parse(text), JSON.parse(recorded.body ?? '')]
  expect(withoutIds(shapeOf(ours))).toEqual(withoutIds(shapeOf(theirs)))
  // What is said of a text, not the text: the simulator has one of its own.
  if (/generate-(?:normal|memory|max|stop)/.test(name)) {
    expect(ours.results[0].finish_reason).toBe(theirs.results[0].finish_reason)
  }
  if (name.startsWith('abort')) expect(ours).toEqual(theirs)
})

test.each([
  'password-generate-no-auth',
  'password-stream-no-auth',
  'password-abort-no-auth',
  'password-check-get-no-auth',
  'password-tokencount-no-auth',
  'password-model-no-auth',
  'password-version-no-auth',
])('%s, without a key where one is wanted: the shape that KoboldCPP 1.115.1 has', async (name) => {
  await using door = await openDoor(koboldDoor, { server: { apiKeys: ['secret'] } })
  const { status, text, recorded } = await replay(door.url, name)
  expect(status).toBe(recorded.status)
  expect(shapeOf(JSON.parse(text))).toEqual(shapeOf(JSON.parse(recorded.body ?? '')))
})

test.each(['busy-503', 'busy-503-stream'])('%s is a full line, in the same shape', async (name) => {
  await using door = await openDoor(koboldDoor, {
    simulator: { tokensPerSecond: 1 },
    dispatcher: { lineCapacity: 0 },
  })
  const leaving = new AbortController()
  const running = fetch(`${door.url}/api/v1/generate`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: '{"prompt":"Once","max_length":400}',
    signal: leaving.signal,
  }).catch(() => 'left')
  await door.simulator.waitForCall()
  const { status, text, recorded } = await replay(door.url, name)
  expect(status).toBe(503)
  expect(recorded.status).toBe(503)
  const theirs = JSON.parse(recorded.body ?? '')
  expect(JSON.parse(text)).toEqual({ detail: { ...theirs.detail, msg: expect.any(String) } })
  leaving.abort()
  expect(await running).toBe('left')
})

/** An empty list of them has another shape than one with ids in it. */
const withoutIds = (shape: unknown) => ({ ...(shape as object), ids: undefined })

test('a stream is events named message, a last one with the reason, and no end mark', async () => {
  await using door = await openDoor(koboldDoor)
  const { text } = await replay(door.url, 'stream-normal')
  const events = text.trimEnd().split('\n\n')
  expect(events.every((event) => /^event: message\ndata: \{.*\}$/.test(event))).toBe(true)
  const data = events.map((event) => JSON.parse(event.split('data: ')[1] ?? ''))
  expect(data.at(-1)).toEqual({ token: '', finish_reason: 'length' })
  expect(data.slice(0, -1).every(({ finish_reason }) => finish_reason === null)).toBe(true)
  const whole = JSON.parse((await replay(door.url, 'generate-normal')).text)
  expect(data.map(({ token }) => token).join('')).toBe(whole.results[0].text)
})

test('a prompt that is too long loses its beginning, and memory stays', async () => {
  await using door = await openDoor(koboldDoor, { simulator: { contextLength: 512 } })
  const prompt = `THE BEGINNING ${'A lamb ran over the hill. '.repeat(200)}THE END`
  const body = JSON.stringify({ memory: 'MEMORY ', prompt, max_length: 100 })
  const reply = await fetch(`${door.url}/api/v1/generate`, { method: 'POST', headers: JSON_TYPE, body })
  expect(reply.status).toBe(200)
  const sent = JSON.stringify(door.simulator.calls[0]?.body)
  expect(sent).toMatch(/"MEMORY .* THE END"|"MEMORY .*THE END"/)
  expect(sent).not.toContain('THE BEGINNING')
})

test('max_context_length is an upper limit', async () => {
  await using door = await openDoor(koboldDoor, { simulator: { contextLength: 4_096 } })
  const prompt = `THE BEGINNING ${'A lamb ran over the hill. '.repeat(100)}`
  const body = JSON.stringify({ prompt, max_length: 50, max_context_length: 256 })
  await fetch(`${door.url}/api/v1/generate`, { method: 'POST', headers: JSON_TYPE, body })
  expect(JSON.stringify(door.simulator.calls[0]?.body)).not.toContain('THE BEGINNING')
})

const SAMPLERS = {
  ...{
    temperature: 0.9,
    top_p: 0.8,
    top_k: 40,
    min_p: 0.05,
    rep_pen: 1.1,
    rep_pen_range: 300,
    rep_pen_slope: 0.7,
  },
  ...{ tfs: 0.95, top_a: 0.1, typical: 0.9, mirostat: 2, mirostat_tau: 5, mirostat_eta: 0.1 },
  ...{
    dynatemp_range: 0.2,
    dynatemp_exponent: 1,
    smoothing_factor: 0.3,
    dry_multiplier: 0.8,
    dry_base: 1.75,
  },
  ...{
    dry_allowed_length: 2,
    xtc_probability: 0.5,
    xtc_threshold: 0.1,
    sampler_order: [6, 0, 1, 3, 4, 2, 5],
  },
  ...{
    banned_tokens: ['x'],
    dry_sequence_breakers: ['\n'],
    sampler_seed: 7,
    nsigma: 1.5,
    render_special: true,
  },
}

test('named samplers reach the backend, and nothing else does', async () => {
  await using door = await openDoor(koboldDoor)
  const body = JSON.stringify({
    prompt: 'Once',
    max_length: 8,
    ...SAMPLERS,
    password: 'x',
    n: 3,
    quiet: true,
  })
  expect(
    (await fetch(`${door.url}/api/v1/generate`, { method: 'POST', headers: JSON_TYPE, body })).status,
  ).toBe(200)
  const sent = door.simulator.calls[0]?.body
  const { sampler_seed, ...others } = SAMPLERS
  expect(sent).toMatchObject(others)
  expect(JSON.stringify(sent)).toContain(`${sampler_seed}`)
  for (const name of ['password', 'n', 'quiet']) expect(sent).not.toHaveProperty(name)
})

test.each([
  ['a prompt that is none', { prompt: 7 }, '`prompt` must be a string.'],
  ['a length that is none', { prompt: 'x', max_length: 'long' }, '`max_length` must be a whole number.'],
  ['stops that are none', { prompt: 'x', stop_sequence: [1] }, '`stop_sequence` must be a list of strings.'],
  ['an order of nine', { prompt: 'x', sampler_order: [0, 1, 2, 3, 4, 5, 6, 0, 1] }, 'sampler_order'],
  ['too many stops', { prompt: 'x', stop_sequence: Array.from({ length: 65 }, () => 'x') }, 'stop'],
  ['nothing to go on with', { prompt: '' }, ''],
])('%s is bad_input', async (_name, body, msg) => {
  await using door = await openDoor(koboldDoor)
  const init = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) }
  for (const path of ['/api/v1/generate', '/api/extra/generate/stream']) {
    const reply = await fetch(door.url + path, init)
    expect([reply.status, await reply.json()]).toEqual([
      422,
      { detail: { msg: expect.stringContaining(msg), type: 'bad_input' } },
    ])
  }
})

test('tokens are counted by the backend, with their ids', async () => {
  await using door = await openDoor(koboldDoor)
  const body = JSON.stringify({ prompt: 'Once upon a time' })
  const count = async (url: string) =>
    (await fetch(new URL('/api/extra/tokencount', url), { method: 'POST', headers: JSON_TYPE, body })).json()
  expect(await count(door.url)).toEqual(await count(door.simulator.url))
})

test('any type of body is taken with a key, and JSON only without', async () => {
  const init = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"prompt":"Once"}' }
  {
    await using door = await openDoor(koboldDoor)
    expect((await fetch(`${door.url}/api/v1/generate`, init)).status).toBe(415)
  }
  await using door = await openDoor(koboldDoor, { server: { apiKeys: ['secret'] } })
  const headers = { ...init.headers, authorization: 'BEARER secret' }
  expect((await fetch(`${door.url}/api/v1/generate`, { ...init, headers })).status).toBe(200)
})
