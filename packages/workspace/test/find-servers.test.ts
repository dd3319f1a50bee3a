import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createServer as createAiTicket } from '@ai-ticket/http-server'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
// @ts-expect-error: a script without types, which runs without a build
import { findServers } from '../find-servers.mjs'

type Replies = Readonly<Record<string, unknown>>

/** A server that says this at these paths, and 404 to anything else. A text is sent as it is. */
async function serverThatSays(replies: Replies, headers: Readonly<Record<string, string>> = {}) {
  const server = createServer(({ url = '' }, response: ServerResponse) => {
    const reply = replies[url]
    response.writeHead(reply === undefined ? 404 : 200, headers)
    response.end(typeof reply === 'string' ? reply : JSON.stringify(reply ?? { error: 'not found' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}

/** Nothing listens there. */
const NOBODY = { KoboldCPP: 9, Ollama: 9, 'llama.cpp': 9, 'LM Studio': 9 }

const find = (ports: Readonly<Record<string, number>>, withinMs = 10_000) =>
  findServers({ ports: { ...NOBODY, ...ports }, withinMs })

const OLLAMA = {
  '/': 'Ollama is running',
  '/api/tags': {
    models: [
      { name: 'nomic-embed-text:latest', details: { family: 'nomic-bert' } },
      { name: 'llama3.2:3b', details: { family: 'llama' } },
      { name: 'qwen3:8b', details: { family: 'qwen3' } },
    ],
  },
  '/api/ps': { models: [{ name: 'qwen3:8b' }] },
}

test('KoboldCPP, with its model', async () => {
  await using simulator = await startKoboldSimulator()
  const { port } = new URL(simulator.url)
  expect(await find({ KoboldCPP: Number(port) })).toEqual([
    {
      name: 'KoboldCPP',
      url: simulator.url,
      models: ['koboldcpp/simulator'],
      backend: `kobold=${simulator.url}`,
    },
  ])
})

test('Ollama: the model in memory is the one to ask, and none that only embeds', async () => {
  await using server = await serverThatSays(OLLAMA)
  const [found] = await find({ Ollama: server.port })
  expect(found).toMatchObject({
    name: 'Ollama',
    models: ['llama3.2:3b', 'qwen3:8b'],
    backend: `openai=${server.url}#qwen3:8b`,
  })
})

test.each([
  ['by its header', {}, { server: 'llama.cpp' }],
  ['by its properties', { '/props': { default_generation_settings: {}, total_slots: 1 } }, {}],
])('llama.cpp, %s', async (_by, replies, headers) => {
  await using server = await serverThatSays({ '/v1/models': { data: [{ id: 'tiny' }] }, ...replies }, headers)
  expect(await find({ 'llama.cpp': server.port })).toMatchObject([
    { name: 'llama.cpp', models: ['tiny'], backend: `openai=${server.url}` },
  ])
})

test('LM Studio: the loaded model before the others', async () => {
  const entry = (id: string, type: string, state: string) => ({ id, type, state })
  const data = [
    entry('e', 'embeddings', 'loaded'),
    entry('a', 'llm', 'not-loaded'),
    entry('b', 'vlm', 'loaded'),
  ]
  await using server = await serverThatSays({ '/api/v0/models': { data } })
  expect(await find({ 'LM Studio': server.port })).toMatchObject([
    { name: 'LM Studio', models: ['a', 'b'], backend: `openai=${server.url}#b` },
  ])
})

test.each([
  [
    'Ollama',
    { '/': 'Ollama is running', '/api/tags': { models: [] } },
    'has no model yet: ollama pull qwen3:8b',
  ],
  ['KoboldCPP', { '/api/extra/version': { result: 'KoboldCpp', llm: false } }, 'has no model loaded'],
  [
    'KoboldCPP',
    { '/api/extra/version': { result: 'KoboldCpp', protected: true } },
    'wants its password: KOBOLDCPP_API_KEY=… npm start',
  ],
  ['LM Studio', { '/lmstudio-greeting': { lmstudio: true } }, 'has no model yet: download one in LM Studio'],
])('%s that cannot answer yet says what it needs', async (name, replies, needs) => {
  await using server = await serverThatSays(replies)
  expect(await find({ [name]: server.port })).toMatchObject([{ name, needs }])
})

test.each([
  ['says 404 to all', {}],
  ['is a web page', { '/': '<h1>Hello</h1>', '/props': '<h1>Hello</h1>', '/v1/models': '[]' }],
  ['says null', { '/': 'null', '/props': 'null', '/api/extra/version': 'null', '/api/v0/models': 'null' }],
  [
    'lists models like OpenAI',
    { '/v1/models': { data: [{ id: 'x' }] }, '/api/v0/models': { data: [{ id: 'x' }] } },
  ],
])('another program that %s is none of them', async (_what, replies) => {
  await using server = await serverThatSays(replies)
  const everywhere = Object.fromEntries(Object.keys(NOBODY).map((name) => [name, server.port]))
  expect(await find(everywhere)).toEqual([])
})

test('AI Ticket is none of them, whatever dialects it speaks', async () => {
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: 'http://127.0.0.1:9' })] })
  for (const apiKeys of [[], ['key']]) {
    const desk = createAiTicket({ dispatcher, apiKeys })
    const { body } = await desk.inject('/event')
    await using server = await serverThatSays({ ...OLLAMA, '/event': body })
    expect(await find({ Ollama: server.port })).toEqual([])
    await desk.close()
  }
  await dispatcher.close()
})

test('all of them together are in order; one that never answers is left out in time', async () => {
  await using simulator = await startKoboldSimulator()
  await using ollama = await serverThatSays(OLLAMA)
  await using silent = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  const ports = {
    KoboldCPP: Number(new URL(simulator.url).port),
    Ollama: ollama.port,
    'llama.cpp': (silent.address() as AddressInfo).port,
  }
  const found: { name: string }[] = await find(ports, 2_000)
  expect(found.map(({ name }) => name)).toEqual(['KoboldCPP', 'Ollama'])
  silent.closeAllConnections()
})
