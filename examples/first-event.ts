// One event, answered in this process: node examples/first-event.ts
// It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself.
import assert from 'node:assert/strict'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'

const simulator = process.env.KOBOLDCPP_API_URL ? undefined : await startKoboldSimulator()
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''

const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
try {
  const outcome = await dispatcher.onEvent({
    id: 'event-4711',
    content: 'Why is the sky blue?',
    parameters: { max_tokens: 60 },
    metadata: { source: 'first-event' },
  })
  if (outcome.error) throw new Error(`${outcome.error}: ${outcome.details}`)
  process.stdout.write(`${outcome.completion}\n`)

  assert.equal(outcome.id, 'event-4711')
  assert.equal(outcome.backend, 'kobold')
  assert.deepEqual(outcome.metadata, { source: 'first-event' })
  assert.equal(outcome.attempts.at(-1)?.result, 'completed')
  assert.notEqual(outcome.completion, '')
} finally {
  await dispatcher.close()
  await simulator?.close()
}
