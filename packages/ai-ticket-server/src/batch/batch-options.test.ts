import { expect, test } from 'vitest'
import { readBatchFlags } from './batch-options.ts'

test('errors stand beside the output, and patience lasts an hour, unless told otherwise', () => {
  const settingsOf = (output: string) => readBatchFlags({ output }, ['in.jsonl'], true)
  expect(settingsOf('out/answers.jsonl')).toMatchObject({
    errors: 'out/answers.errors.jsonl',
    patienceMs: 3_600_000,
  })
  expect(settingsOf('out').errors).toBe('out.errors.jsonl')
})

test('stdin is read where no file is named, unless it is a terminal', () => {
  expect(readBatchFlags({ output: 'out.jsonl' }, [], false).input).toBe('-')
  expect(() => readBatchFlags({ output: 'out.jsonl' }, [], true)).toThrow('Name a file of lines')
  expect(() => readBatchFlags({ output: 'out.jsonl' }, ['-'], true)).toThrow('Name a file of lines')
})

test.each([
  [{ output: undefined }, '-o needs a file'],
  [{ output: '-' }, '-o needs a file'],
  [{ output: '' }, '-o needs a file'],
  [{ errors: '' }, '--errors needs a file'],
  [{ errors: '-' }, '--errors needs a file'],
  [{ output: './in.jsonl' }, 'must be three files'],
  [{ errors: 'out.jsonl' }, 'must be three files'],
])('%j is a wrong command line', (wrong, said) => {
  expect(() => readBatchFlags({ output: 'out.jsonl', ...wrong }, ['in.jsonl'], true)).toThrow(said)
})
