// An answer as it comes, and Ctrl+C that stops the GPU: node examples/stream-to-terminal.ts "Tell me a story"
// It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself.
import assert from 'node:assert/strict'
import { createDispatcher, createKoboldBackend, type SuccessOutcome } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'

const simulator = process.env.KOBOLDCPP_API_URL ? undefined : await startKoboldSimulator()
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''

const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))

const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
try {
  const { text, outcome } = await stream(process.argv[2] ?? 'Tell me a story of one sentence.')
  assert.equal(text.trim(), outcome.completion)
  assert.equal(outcome.attempts.length, 1)
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  process.stdout.write('\n')
  process.exitCode = 130
} finally {
  await dispatcher.close()
  await simulator?.close()
}

async function stream(content: string): Promise<{ text: string; outcome: SuccessOutcome }> {
  let text = ''
  for await (const event of dispatcher.streamEvent({ content }, { signal: interrupted.signal })) {
    if (event.type === 'delta') {
      text += event.text
      process.stdout.write(event.text)
    }
    if (event.type === 'error') throw new Error(`${event.outcome.error}: ${event.outcome.details}`)
    if (event.type === 'done') {
      process.stdout.write('\n')
      return { text, outcome: event.outcome }
    }
  }
  interrupted.signal.throwIfAborted()
  throw new Error('The stream ended without an outcome.')
}
