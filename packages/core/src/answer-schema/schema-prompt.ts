import type { Turn } from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import type { Problem } from './answer-schema.ts'

/** What says nothing to a model about the answer. */
const SILENT = new Set(['$schema', '$id', '$comment', 'title', 'examples', 'default', '~standard'])

/** The schema as the model reads it: its JSON, without what does not concern the answer. */
export function shortForm(schema: JsonSchema): string {
  return JSON.stringify(schema, (name, value: unknown) =>
    SILENT.has(name) && !isSchema(value) ? undefined : value,
  )
}

/** A property may be named `title` or `default`: then its value is a schema of its own. */
const isSchema = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

const instruction = (form: string) =>
  `Answer with JSON only: no other words, no Markdown. It must match this JSON Schema:\n${form}`

/** The conversation with the short form in its first system turn, or in a new one. */
export function describeIn(turns: readonly Turn[], form: string): Turn[] {
  const text = instruction(form)
  const [first, ...rest] = turns
  if (first?.role !== 'system' || typeof first.content !== 'string') {
    return [{ role: 'system', content: text }, ...turns]
  }
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...rest]
}

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
