import { expect, test } from 'vitest'
import { resumeCommand } from './batch.ts'

test('is the same command, quoted for a shell, and forgets nothing', () => {
  const words = ['batch', 'in put.jsonl', '-o', "it's.jsonl", '--overwrite', '--server=http://desk:5000']
  expect(resumeCommand(words)).toBe(
    `ai-ticket batch 'in put.jsonl' -o 'it'\\''s.jsonl' --server=http://desk:5000`,
  )
})
