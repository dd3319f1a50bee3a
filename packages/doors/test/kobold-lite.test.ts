import { expect, test } from 'vitest'
import { koboldDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'

/** What Kobold Lite sends for a text, with the settings that it has at first. */
const LITE = {
  ...{ n: 1, max_context_length: 4_096, max_length: 200, rep_pen: 1.05, temperature: 0.75, top_p: 0.92 },
  ...{ top_k: 100, top_a: 0, typical: 1, tfs: 1, rep_pen_range: 360, rep_pen_slope: 0.7 },
  ...{ sampler_order: [6, 0, 1, 3, 4, 2, 5], memory: '', trim_stop: true, genkey: 'KCPP8421', min_p: 0 },
  ...{ dynatemp_range: 0, dynatemp_exponent: 1, smoothing_factor: 0, nsigma: 0, banned_tokens: [] },
  ...{ render_special: false, logprobs: false, replace_instruct_placeholders: true, presence_penalty: 0 },
  ...{ logit_bias: {}, prompt: '\nYou: Tell me a story.\nKobold:', quiet: true, images: [], grammar: '' },
  ...{ stop_sequence: ['You:', '\nYou ', '\nKobold: '], use_default_badwordsids: false, bypass_eos: false },
}

const ORIGIN = 'https://lite.koboldai.net'
const BROWSER = { origin: ORIGIN, 'sec-fetch-site': 'cross-site' }

async function openLite(tokensPerSecond: number) {
  const door = await openDoor(koboldDoor, {
    simulator: { tokensPerSecond, answer: () => 'one '.repeat(200) },
    server: { corsOrigins: [ORIGIN] },
  })
  const get = async (path: string) => {
    const reply = await fetch(door.url + path, { headers: BROWSER })
    expect(reply.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    return reply
  }
  const post = (path: string, body: object) =>
    fetch(door.url + path, {
      method: 'POST',
      headers: { ...BROWSER, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return { get, post, door, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() }
}

test('it finds a KoboldCPP, and that it can do text and nothing else', async () => {
  await using lite = await openLite(1_000)
  for (const path of [
    ...['/api/v1/model', '/api/v1/info/version', '/api/v1/config/max_context_length', '/api/extra/version'],
    ...['/api/extra/true_max_context_length', '/api/extra/preloadstory'],
  ]) {
    expect([path, (await lite.get(path)).status]).toEqual([path, 200])
  }
  expect((await lite.get('/sdapi/v1/sd-models')).status).toBe(404)
  const preflight = await fetch(`${lite.door.url}/api/extra/generate/stream`, {
    method: 'OPTIONS',
    headers: {
      ...BROWSER,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type, genkey, client-agent',
    },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/genkey/)
})

test('it streams a text', async () => {
  await using lite = await openLite(1_000)
  const reply = await lite.post('/api/extra/generate/stream', LITE)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  expect(await reply.text()).toMatch(/^event: message\ndata: \{"token":"/)
})

test('it polls a text, and stops it with its key', async () => {
  await using lite = await openLite(20)
  const running = lite.post('/api/v1/generate', LITE)
  const check = async () => {
    const reply = await lite.post('/api/extra/generate/check', { genkey: LITE.genkey })
    return ((await reply.json()) as { results: { text: string }[] }).results[0]?.text
  }
  await expect.poll(check).not.toBe('')
  const stopped = await lite.post('/api/extra/abort', { genkey: LITE.genkey })
  expect(await stopped.json()).toEqual({ success: 'true', done: 'true' })
  expect((await running).status).toBe(200)
  await lite.door.simulator.waitFor(({ generating }) => !generating)
  expect(await check()).not.toBe('')
})

test('a page of another origin gets nothing, and changes nothing', async () => {
  await using lite = await openLite(1_000)
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  for (const path of ['/api/extra/abort', '/api/v1/generate']) {
    const reply = await fetch(lite.door.url + path, { method: 'POST', headers })
    expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([403, null])
  }
  expect(lite.door.simulator.calls).toHaveLength(0)
})
