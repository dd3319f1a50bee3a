import { expect, test } from 'vitest'
import { type LlamaBackendOptions, resolveLlamaOptions } from './llama-options.ts'

test('the defaults', () => {
  expect(resolveLlamaOptions({ modelPath: '/models/tiny-q4.GGUF' })).toMatchObject({
    name: 'llama',
    model: 'tiny-q4',
    concurrency: 1,
    gpu: 'auto',
  })
})

test.each([
  ['modelPath', ''],
  ['modelPath', undefined],
  ['name', 7],
  ['contextSize', 0],
  ['threads', 1.5],
  ['concurrency', -1],
  ['gpu', 'amd'],
  ['chatTemplate', ''],
])('a bad %s is named', (key, value) => {
  const options = { modelPath: 'a.gguf', [key]: value } as LlamaBackendOptions
  expect(() => resolveLlamaOptions(options)).toThrow(new RegExp(`^${key} must`))
})
