import { expect, test } from 'vitest'
import { readBatchArgs } from './batch-options.ts'

test('errors stand beside the output, and patience lasts an hour, unless told otherwise', () => {
  const args = { _: ['in.jsonl'], output: 'out/answers.jsonl' }
  expect(readBatchArgs(args)).toMatchObject({ errors: 'out/answers.errors.jsonl', patienceMs: 3_600_000 })
  expect(readBatchArgs({ ...args, output: 'out' }).errors).toBe('out.errors.jsonl')
  expect(readBatchArgs({ ...args, server: 'http://desk:5000//' }).server).toBe('http://desk:5000')
})

test.each([
  [{ _: [] }, 'Name one file of lines'],
  [{ _: ['a', 'b'] }, 'Name one file of lines'],
  [{ output: undefined }, '-o needs a file'],
  [{ output: '-' }, '-o needs a file'],
  [{ output: './in.jsonl' }, 'must be three files'],
  [{ errors: 'out.jsonl' }, 'must be three files'],
  [{ concurrency: '0' }, '--concurrency needs a whole number'],
  [{ 'max-failures': 'few' }, '--max-failures needs a whole number'],
  [{ patience: 'long' }, '--patience needs a time'],
  [{ server: 'desk:5000' }, '--server needs an address'],
])('%j is a wrong command line', (wrong, said) => {
  expect(() => readBatchArgs({ _: ['in.jsonl'], output: 'out.jsonl', ...wrong })).toThrow(said)
})
