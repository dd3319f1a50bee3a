import type { Turn } from '../contract/prompt.ts'
import type { Problem } from './answer-schema.ts'

/** More is no help: the first problems are the cause of the rest. */
const MOST_PROBLEMS = 10
/** An answer that ran wild is not worth its place in the context. */
const MOST_TEXT = 8_000

/** The wrong answer, and a user turn that says what is wrong with it and what is wanted. */
export function repairTurns(text: string, problems: readonly Problem[], form: string): Turn[] {
  const faults = problems
    .slice(0, MOST_PROBLEMS)
    .map(({ path, message }) => `- ${path || 'answer'}: ${message}`)
  const request = [
    'That answer does not match the schema:',
    ...faults,
    `Answer again with the corrected JSON only. The JSON Schema is:\n${form}`,
  ]
  return [
    // A turn without text would end the handler of a KoboldCPP server.
    { role: 'assistant', content: text.trim().slice(0, MOST_TEXT) || '(nothing)' },
    { role: 'user', content: request.join('\n') },
  ]
}
