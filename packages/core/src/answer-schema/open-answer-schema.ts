import { type Result, success } from '../contract/failure.ts'
import type { JsonSchema, StandardSchema } from '../contract/standard-schema.ts'
import type { AnswerSchema, Validate } from './answer-schema.ts'
import { checkAnswer } from './check-answer.ts'
import { readPartial } from './read-partial.ts'
import { describeIn, repairTurns, shortForm } from './schema-prompt.ts'
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
  const key = JSON.stringify(schema)
  const kept = ofJson.get(key)
  if (kept) return success(keep(key, kept))
  const { compileSchema } = await import('./compile-schema.ts')
  const compiled = compileSchema(schema)
  return compiled.ok ? success(keep(key, createAnswerSchema(schema, compiled.value))) : compiled
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
  const opening = toJsonSchema(schema).then((json) => createAnswerSchema(json, validateBy(schema)))
  ofStandard.set(schema, opening)
  return opening
}

function createAnswerSchema(schema: JsonSchema, validate: Validate): AnswerSchema {
  const form = shortForm(schema)
  const takesText = isText(schema)
  return {
    schema,
    refusedBy: new Set(),
    check: (end) => checkAnswer(end, { validate, takesText }),
    describe: (turns) => describeIn(turns, form),
    repairTurns: (text, problems) => repairTurns(text, problems, form),
    readPartial,
  }
}

const isText = ({ type, const: only, enum: among }: JsonSchema): boolean =>
  type === 'string' || typeof only === 'string' || (Array.isArray(among) && among.some(isString))

const isString = (value: unknown) => typeof value === 'string'
