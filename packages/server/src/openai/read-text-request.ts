import type { ReadCompletion } from './asked-completion.ts'
import { type ReadContent, readCompletion } from './read-request.ts'

/** A body of `POST /v1/completions`. */
export const readTextRequest = (body: unknown): ReadCompletion => readCompletion(body, readPrompt)

function readPrompt({ prompt }: Readonly<Record<string, unknown>>): ReadContent {
  const text = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt
  if (typeof text === 'string') return { ok: true, content: { prompt: text } }
  return { ok: false, failure: { code: 'invalid_input_format', details: `\`prompt\` ${problemOf(prompt)}` } }
}

function problemOf(prompt: unknown): string {
  if (!Array.isArray(prompt)) return 'must be a string.'
  const isList = prompt.length > 1 && prompt.every((one) => typeof one === 'string')
  if (isList) return 'holds several prompts: an event has one. Send several requests.'
  return 'must be a string, or a list with one string; token numbers are not supported.'
}
