import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDispatcher, createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { type OpenAISimulatorOptions, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

// What servers that load models by themselves say of them, over real sockets.
const fast: OpenAISimulatorOptions = { tokensPerSecond: Number.POSITIVE_INFINITY }
const never = () => new AbortController().signal

async function listening(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

test.each([
  ['ollama', { contextLength: 4096 }],
  ['llama-swap', {}],
  ['lm-studio', { contextLength: 4096 }],
] as const)('%s says which of its models is loaded', async (flavour, more) => {
  const models = ['one', 'two']
  await using simulator = await startOpenAISimulator({
    ...fast,
    ...{ flavour, models, loadMs: 1, contextLength: 4096 },
  })
  const backend = createOpenAIBackend({ url: simulator.url })
  expect(await backend.probe(never())).toMatchObject({ models, loaded: [] })
  await using dispatcher = createDispatcher({ backends: [backend], maxTokens: 8 })
  expect(await dispatcher.onEvent({ content: 'Hello', model: 'two' })).toMatchObject({ model: 'two' })
  expect(await backend.probe(never())).toMatchObject({ models, loaded: [{ name: 'two', ...more }] })
  expect(dispatcher.report().backends[0]).toMatchObject({ models, loaded_models: ['two'] })
  expect(simulator.loads).toBe(1)
})

test('a server that is too slow to say it has not said that it loads none', async () => {
  let looks = 0
  await using server = await listening((request, response) => {
    if (request.url === '/v1/models') return void response.end('{"data":[{"id":"one"},{"id":"two"}]}')
    if (request.url !== '/api/ps') return void response.writeHead(404).end()
    looks += 1
    if (looks > 1) response.end('{"models":[{"name":"two"}]}')
  })
  const backend = createOpenAIBackend({ url: server.url })
  const first = await backend.probe(never())
  expect(first).toMatchObject({ models: ['one', 'two'], incomplete: true })
  expect(first).not.toHaveProperty('loaded')
  expect(await backend.probe(never())).toEqual({ models: ['one', 'two'], loaded: [{ name: 'two' }] })
})

test('a server with other models is asked again for what the one before did not know', async () => {
  let isOllama = false
  await using server = await listening((request, response) => {
    if (request.url === '/v1/models') {
      return response.end(isOllama ? '{"data":[{"id":"one"},{"id":"two"}]}' : '{"data":[{"id":"llama"}]}')
    }
    if (request.url === '/api/ps' && isOllama) return response.end('{"models":[{"name":"two"}]}')
    return response.writeHead(404).end()
  })
  const backend = createOpenAIBackend({ url: server.url })
  expect(await backend.probe(never())).toEqual({ models: ['llama'] })
  isOllama = true
  expect(await backend.probe(never())).toMatchObject({ models: ['one', 'two'] })
  expect(await backend.probe(never())).toMatchObject({ models: ['one', 'two'], loaded: [{ name: 'two' }] })
})

test('llama.cpp as a router says it in its list', async () => {
  await using simulator = await startOpenAISimulator({ ...fast, flavour: 'hosted' })
  const data = [
    { id: 'one', status: { value: 'unloaded' } },
    { id: 'two', status: { value: 'loaded' }, meta: { n_ctx: 2048 } },
    { id: 'three', status: { value: 'loading' } },
  ]
  simulator.script([{ body: { object: 'list', data } }], '/v1/models')
  const backend = createOpenAIBackend({ url: simulator.url })
  expect(await backend.probe(never())).toMatchObject({
    models: ['one', 'two', 'three'],
    loaded: [{ name: 'two', contextLength: 2048 }],
  })
})

test('a server that has all its models in memory is not taken for one that loads them', async () => {
  await using simulator = await startOpenAISimulator({ ...fast, flavour: 'hosted', models: ['one', 'two'] })
  const backend = createOpenAIBackend({ url: simulator.url })
  expect(await backend.probe(never())).not.toHaveProperty('loaded')
})

test('Ollama takes names with and without their tag', async () => {
  const models = ['one:latest', 'two:latest']
  await using simulator = await startOpenAISimulator({ ...fast, flavour: 'ollama', models, loadMs: 200 })
  await using dispatcher = createDispatcher({ backends: [createOpenAIBackend({ url: simulator.url })] })
  for (const model of ['one', 'one:latest', 'one']) {
    expect(await dispatcher.onEvent({ content: 'Hello', model })).not.toHaveProperty('error')
  }
  expect(simulator.calls.map(({ body }) => body.model)).toEqual(Array(3).fill('one:latest'))
  expect(simulator.loads).toBe(1)
  expect(dispatcher.report().backends[0]?.model_load_ms).toBeGreaterThanOrEqual(199)
})

test('events on two models, in turn: the desk lets the server load each once', async () => {
  await using simulator = await startOpenAISimulator({
    ...fast,
    ...{ flavour: 'ollama', models: ['one', 'two'], loadMs: 800 },
  })
  await using dispatcher = createDispatcher({ backends: [createOpenAIBackend({ url: simulator.url })] })
  const ask = (model: string) => dispatcher.onEvent({ content: `Hello ${model}`, model })
  // On a busy machine the first look may bring the list of models only.
  await expect
    .poll(() => dispatcher.backend('openai')?.probe())
    .toMatchObject({ models: ['one', 'two'], loaded_models: [] })
  // A first call may take as long as a load on a busy machine; how fast the server answers is learned of several.
  for (const model of ['one', 'one', 'one', 'one', 'two', 'one']) await ask(model)
  const before = simulator.loads
  await Promise.all(['one', 'two', 'one', 'two', 'one', 'two', 'one', 'two'].map(ask))
  expect(simulator.loads - before).toBe(1)
})

/** KoboldCPP 1.115.1 with `--routermode`, as far as a probe and a call see of it. */
async function startRouter() {
  const world = { model: 'koboldcpp/small-1b', isAway: 0, asked: [] as unknown[], paths: [] as string[] }
  const answers: Record<string, () => unknown> = {
    '/api/extra/version': () => ({ result: 'KoboldCpp', version: '1.115.1', llm: true, router: true }),
    '/api/v1/model': () => ({ result: world.model }),
    '/v1/models': () => ({ object: 'list', data: [{ id: world.model }] }),
    '/api/extra/true_max_context_length': () => ({ value: 4096 }),
    '/api/extra/perf': () => ({ idle: 1, queue: 0 }),
    '/api/admin/list_options': () => ['small.kcpps', 'large.kcpps', 'initial_model', 'unload_model'],
  }
  const server = await listening(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const path = request.url ?? ''
    world.paths.push(path)
    if (world.isAway > 0) {
      world.isAway -= 1
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>')
      return
    }
    if (request.method === 'POST') {
      const { model } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      world.asked.push(model)
      world.model = model === 'large.kcpps' ? 'koboldcpp/large-70b' : 'koboldcpp/small-1b'
    }
    const message = { role: 'assistant', content: 'Well.' }
    const chat = {
      model: world.model,
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(request.method === 'POST' ? chat : answers[path]?.()))
  })
  return { world, ...server }
}

test('KoboldCPP in router mode: the configs that it can load, and which of them it has loaded', async () => {
  await using router = await startRouter()
  const backend = createKoboldBackend({ url: router.url })
  await using dispatcher = createDispatcher({ backends: [backend] })
  expect(await dispatcher.onEvent({ content: 'Hello', model: 'large.kcpps' })).not.toHaveProperty('error')
  expect(router.world.asked).toEqual(['large.kcpps'])
  const state = await backend.probe(never())
  expect(state.models).toEqual(['koboldcpp/large-70b', 'small.kcpps', 'large.kcpps'])
  expect(state.loaded).toEqual([{ name: 'large.kcpps', contextLength: 4096 }])
})

test('while a router swaps, events wait: its 502 is no failure of theirs', async () => {
  await using router = await startRouter()
  const backend = createKoboldBackend({ url: router.url })
  await using dispatcher = createDispatcher({ backends: [backend], probeIntervalMs: 20 })
  await dispatcher.health()
  router.world.isAway = 25
  const outcome = await dispatcher.onEvent({ content: 'Hello', model: 'large.kcpps' })
  expect(outcome).toMatchObject({ completion: 'Well.' })
  // Before the answer it was told to wait more often than an event is tried.
  expect(outcome.attempts.length).toBeGreaterThan(3)
})
