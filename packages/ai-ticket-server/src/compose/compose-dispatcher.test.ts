import { existsSync } from 'node:fs'
import { type Dispatcher, type MessageInput, silentLogger } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { modelPath, whyNot } from '../../../llama/test/model-path.ts'
import { type Config, resolveConfig } from '../config/config.ts'
import { composeDispatcher } from './compose-dispatcher.ts'
import type { OpenOptions } from './open-backend.ts'
import { BackendProblem } from './open-backend.ts'

function configOf(content: unknown, environment: Record<string, string> = {}): Config {
  const file = { name: 'desk.json', text: JSON.stringify(content) }
  const resolved = resolveConfig({ flags: {}, environment, file })
  if (!resolved.ok) throw new Error(resolved.problems.map(({ message }) => message).join('\n'))
  return resolved.value.config
}

const compose = (config: Config, options: Partial<OpenOptions> = {}): Promise<Dispatcher> =>
  composeDispatcher(config, { logger: silentLogger, ...options })

test('a backend of type "openai" in the file answers, with its key and model', async () => {
  await using simulator = await startOpenAISimulator({
    flavour: 'hosted',
    models: ['a', 'b'],
    apiKey: 'secret',
    tokensPerSecond: Number.POSITIVE_INFINITY,
  })
  const url = `${simulator.url}/v1`
  const backends = [
    { name: 'cloud', type: 'openai', url, api_key_env: 'CLOUD_KEY', model: 'b', models: ['b'] },
  ]
  await using dispatcher = await compose(configOf({ backends }, { CLOUD_KEY: 'secret' }))
  expect(await dispatcher.onEvent({ content: 'Hello' })).toMatchObject({
    backend: 'cloud',
    endpoint: 'chat',
    model: 'b',
  })
})

const template = {
  system: ['<s>', ''],
  user: ['<u>', ''],
  assistant: ['<a>', ''],
  tool: ['<t>', ''],
  stop: ['<u>'],
}

test('a template in the file writes the conversation for an endpoint without turns', async () => {
  await using simulator = await startOpenAISimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  simulator.script([{ status: 404 }], '/v1/chat/completions')
  const backends = [{ name: 'box', type: 'openai', url: simulator.url, template }]
  await using dispatcher = await compose(configOf({ backends }))
  const content: MessageInput[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
  ]
  expect(await dispatcher.onEvent({ content })).toMatchObject({ endpoint: 'text' })
  expect(simulator.calls.at(-1)?.body).toMatchObject({ prompt: '<s>Be brief.<u>Hello<a>', stop: ['<u>'] })
})

const long = {
  messages: ['first', 'second'].map((word) => ({ role: 'user' as const, content: `${word} `.repeat(180) })),
}

test.each([
  ['refuse', { error: 'context_length_exceeded' }],
  ['drop_oldest', { dropped_turns: [0] }],
])('the policy %s for long prompts holds for every event', async (context_policy, expected) => {
  await using simulator = await startKoboldSimulator({
    contextLength: 600,
    tokensPerSecond: Number.POSITIVE_INFINITY,
  })
  const backends = [{ name: 'box', type: 'kobold', url: simulator.url }]
  await using dispatcher = await compose(configOf({ context_policy, backends }))
  expect(await dispatcher.onEvent({ content: long })).toMatchObject(expected)
})

const local = { name: 'local', type: 'llama', model_path: modelPath, gpu: false, threads: 1 }

test.skipIf(existsSync(modelPath))(`skipped: ${whyNot}`, () => {})

test.runIf(existsSync(modelPath))('a model in this process answers, alone and by its alias', async () => {
  const backends = [{ ...local, concurrency: 2, model: 'stories', aliases: { tale: 'stories' } }]
  await using dispatcher = await compose(configOf({ backends }))
  const event = { content: 'Once upon a time', model: 'tale', parameters: { max_tokens: 8 } }
  expect(await dispatcher.onEvent(event)).toMatchObject({
    backend: 'local',
    model: 'stories',
    finish_reason: 'length',
  })
  expect(dispatcher.freeSlots()).toEqual([{ backend: 'local', free: 2, concurrency: 2 }])
})

const problemOf = (config: Config, options?: Partial<OpenOptions>): Promise<unknown> =>
  compose(config, options).then(
    () => 'it was opened',
    (error: unknown) => (error instanceof BackendProblem ? error.message : error),
  )

test('without its package a model in this process is refused, and the message says what to install', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  const loadLlama = () => Promise.reject(missing)
  expect(await problemOf(configOf({ backends: [local] }), { loadLlama })).toBe(
    'The backend "local" cannot be opened: the package @ai-ticket/llama is not installed. Add it and its library with: npm install @ai-ticket/llama node-llama-cpp@3',
  )
})

test('a model file that is not there is refused by its path', async () => {
  const backends = [{ ...local, model_path: '/nowhere/tiny.gguf' }]
  expect(await problemOf(configOf({ backends }))).toMatch(
    /^The backend "local" cannot be opened: The model \/nowhere\/tiny.gguf could not be loaded: .*ENOENT.* Correct its "model_path"\.$/,
  )
})
