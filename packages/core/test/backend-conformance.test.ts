import { createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { backendConformance, type ConformanceOptions } from '@ai-ticket/testkit/conformance'
import { describe, test } from 'vitest'

const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ')

/** Guards against what hangs: the machine may be busy. */
const PATIENCE = { stopMs: 30_000, answerMs: 60_000 }

const textOf = (body: unknown): string => JSON.stringify(body)

const kobold = (version: '1.76' | '1.115.1'): ConformanceOptions => ({
  ...PATIENCE,
  async open() {
    const simulator = await startKoboldSimulator({ version, tokensPerSecond: 1000, answer: () => words })
    return {
      backend: createKoboldBackend({ url: simulator.url }),
      lastPrompt: () => textOf(simulator.calls.at(-1)?.body),
      isQuiet: () => !simulator.generating && simulator.waiting === 0,
      close: () => simulator.close(),
    }
  },
  async openDead() {
    const simulator = await startKoboldSimulator()
    await simulator.close()
    return { backend: createKoboldBackend({ url: simulator.url }) }
  },
})

const openAI = (flavour: 'llama.cpp' | 'vllm' | 'ollama' | 'hosted'): ConformanceOptions => ({
  ...PATIENCE,
  async open() {
    const simulator = await startOpenAISimulator({ flavour, tokensPerSecond: 1000, answer: () => words })
    return {
      backend: createOpenAIBackend({ url: simulator.url }),
      lastPrompt: () => textOf(simulator.calls.at(-1)?.body),
      isQuiet: () => simulator.running === 0,
      close: () => simulator.close(),
    }
  },
  async openDead() {
    const simulator = await startOpenAISimulator()
    await simulator.close()
    return { backend: createOpenAIBackend({ url: simulator.url }) }
  },
})

const subjects: Record<string, ConformanceOptions> = {
  'kobold, simulator 1.76': kobold('1.76'),
  'kobold, simulator 1.115.1': kobold('1.115.1'),
  'openai, simulator of llama.cpp': openAI('llama.cpp'),
  'openai, simulator of vLLM': openAI('vllm'),
  'openai, simulator of Ollama': openAI('ollama'),
  'openai, simulator of a hosted service': openAI('hosted'),
}

for (const [name, options] of Object.entries(subjects)) {
  describe.concurrent(name, () => {
    for (const { name, run } of backendConformance(options)) test(name, run)
  })
}

// A real server, where one is given: KOBOLDCPP_TEST_URL=http://localhost:5001
const url = process.env.KOBOLDCPP_TEST_URL
describe.skipIf(!url)('kobold, the server of KOBOLDCPP_TEST_URL', () => {
  const options: ConformanceOptions = {
    open: async () => ({ backend: createKoboldBackend({ url: url ?? '' }) }),
    prompt: 'Once upon a time',
    stopMs: 5000,
    answerMs: 120_000,
  }
  for (const { name, run } of backendConformance(options)) test(name, run, 300_000)
})

test.skipIf(url)('skipped: no real KoboldCPP, for KOBOLDCPP_TEST_URL names none', () => {})
