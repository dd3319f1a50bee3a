import { existsSync } from 'node:fs'
import { createLlamaBackend } from '@ai-ticket/llama'
import { backendConformance } from '@ai-ticket/testkit/conformance'
import { describe, test } from 'vitest'
import { modelPath, whyNot } from './model-path.ts'

const there = existsSync(modelPath)

describe.runIf(there)('llama', () => {
  const cases = backendConformance({
    open: async () => {
      const backend = await createLlamaBackend({ modelPath, gpu: false, threads: 1 })
      const isQuiet = async () => (await backend.probe(new AbortController().signal)).idle === true
      return { backend, isQuiet }
    },
    prompt: 'Once upon a time',
  })
  for (const { name, run } of cases) test(name, run)
})

test.skipIf(there)(`skipped: ${whyNot}`, () => {})
