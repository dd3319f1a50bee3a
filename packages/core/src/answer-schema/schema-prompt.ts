import type { Turn } from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'

/** What says nothing to a model about the answer. */
const SILENT = new Set(['$schema', '$id', '$comment', 'title', 'examples', 'default', '~standard'])

/** The schema as a model is told of it: its JSON without what does not concern the answer. */
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
