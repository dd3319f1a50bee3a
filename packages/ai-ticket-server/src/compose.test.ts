import { silentLogger } from '@ai-ticket/core'
import { startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { composeDispatcher } from './compose.ts'
import { resolveConfig } from './config.ts'

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
  const resolved = resolveConfig({
    flags: {},
    environment: { CLOUD_KEY: 'secret' },
    file: { name: 'desk.json', text: JSON.stringify({ backends }) },
  })
  if (!resolved.ok) throw new Error(resolved.problems.map(({ message }) => message).join('\n'))
  const dispatcher = composeDispatcher(resolved.value.config, silentLogger)
  const outcome = await dispatcher.onEvent({ content: 'Hello' })
  await dispatcher.close()
  expect(outcome).toMatchObject({ backend: 'cloud', endpoint: 'chat', model: 'b' })
})
