import { failure, type Result, success } from '../contract/failure.ts'
import type { Turn } from '../contract/prompt.ts'
import type { JsonSchema, StandardSchema } from '../contract/standard-schema.ts'
import { type AnswerSchema, type Problem, UNWRITABLE, type Validate, writeSchema } from './answer-schema.ts'
import { checkAnswer } from './check-answer.ts'
import { readPartial } from './read-partial.ts'
import { isStandardSchema, toJsonSchema, validateBy } from './standard-schema.ts'

/** Schemas of one program are few and come again and again. */
const MOST_KEPT = 200

const ofJson = new Map<string, AnswerSchema>()
const ofStandard = new WeakMap<StandardSchema, Promise<AnswerSchema>>()

/**
 * Makes a caller's JSON Schema ready for use, or finds it ready. The validator is loaded at the first one. Fails as
 * `invalid_input_format` where the schema is none, or beyond the limits.
 */
export async function openJsonSchema(schema: JsonSchema): Promise<Result<AnswerSchema>> {
  const key = writeSchema(schema)
  if (key === undefined) return failure(UNWRITABLE)
  const kept = ofJson.get(key)
  if (kept) return success(keep(key, kept))
  const { compileSchema } = await import('./compile-schema.ts')
  const compiled = compileSchema(schema)
  return compiled.ok ? success(keep(key, createAnswerSchema(schema, compiled.value, true))) : compiled
}

/** The latest is the last to go. */
function keep(key: string, answerSchema: AnswerSchema): AnswerSchema {
  ofJson.delete(key)
  ofJson.set(key, answerSchema)
  const oldest = ofJson.size > MOST_KEPT ? ofJson.keys().next() : undefined
  if (oldest && !oldest.done) ofJson.delete(oldest.value)
  return answerSchema
}

/** The same for a Standard Schema, which validates by itself. Rejects with a TypeError where it has no JSON Schema. */
export async function openStandardSchema(schema: unknown): Promise<AnswerSchema> {
  if (!isStandardSchema(schema)) {
    throw new TypeError('`schema` is no Standard Schema; a JSON Schema goes into the event, as its `schema`.')
  }
  const kept = ofStandard.get(schema)
  if (kept) return kept
  const opening = toJsonSchema(schema).then((json) => createAnswerSchema(json, validateBy(schema), false))
  ofStandard.set(schema, opening)
  return opening
}

function createAnswerSchema(schema: JsonSchema, validate: Validate, keepsDigits: boolean): AnswerSchema {
  const form = shortForm(schema)
  const takesText = isText(schema)
  return {
    schema,
    refusedBy: new Set(),
    check: (end) => checkAnswer(end, { validate, takesText, keepsDigits }),
    describe: (turns) => describeIn(turns, form),
    repairTurns: (text, problems) => repairTurns(text, problems, form),
    readPartial,
  }
}

const isText = ({ type, const: only, enum: among }: JsonSchema): boolean =>
  type === 'string' || typeof only === 'string' || (Array.isArray(among) && among.some(isString))

const isString = (value: unknown) => typeof value === 'string'

/** What says nothing to a model about the answer. */
const SILENT = new Set(['$schema', '$id', '$comment', 'title', 'examples', 'default', '~standard'])

/** The schema as the model reads it: its JSON, without what does not concern the answer. */
function shortForm(schema: JsonSchema): string {
  return JSON.stringify(schema, (name, value: unknown) =>
    SILENT.has(name) && !isSchema(value) ? undefined : value,
  )
}

/** A property may be named `title` or `default`: then its value is a schema of its own. */
const isSchema = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

const instruction = (form: string) =>
  `Answer with JSON only: no other words, no Markdown. It must match this JSON Schema:\n${form}`

/** The conversation with the short form in its first system turn, or in a new one. */
function describeIn(turns: readonly Turn[], form: string): Turn[] {
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
function repairTurns(text: string, problems: readonly Problem[], form: string): Turn[] {
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
