import { isPlainObject } from '../contract/json-value.ts'
import type { JsonSchema, StandardIssue, StandardSchema } from '../contract/standard-schema.ts'
import { type Problem, type Validate, writeSchema } from './answer-schema.ts'

/** Whether a value can be used as one: schemas are objects, arktype's are functions. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  if (!('~standard' in value)) return false
  const standard = value['~standard']
  return typeof standard === 'object' && standard !== null && 'validate' in standard && 'vendor' in standard
}

/**
 * The JSON Schema of what the answer must be before the schema transforms it. Throws a TypeError for a schema that
 * has none: a vendor without a converter, or a part (a date, a custom check alone) that JSON Schema cannot say.
 */
export async function toJsonSchema(schema: StandardSchema): Promise<JsonSchema> {
  const { vendor, jsonSchema } = schema['~standard']
  try {
    if (jsonSchema) return assertWritable(jsonSchema.input({ target: 'draft-2020-12' }))
    if (vendor === 'valibot') return await fromValibot(schema)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it cannot be converted'
    throw new TypeError(`\`schema\` (${vendor}) has no JSON Schema: ${reason}`, { cause })
  }
  throw new TypeError(
    `\`schema\` (${vendor}) has no JSON Schema: give a schema of valibot, zod 4.2 or newer, arktype 2.1.28 or newer, ` +
      'or one with `~standard.jsonSchema`.',
  )
}

function assertWritable(schema: unknown): JsonSchema {
  if (isPlainObject(schema) && writeSchema(schema) !== undefined) return schema
  throw new TypeError('what it gives cannot be written as JSON')
}

async function fromValibot(schema: StandardSchema): Promise<JsonSchema> {
  const { toJsonSchema } = await import('@valibot/to-json-schema')
  // Checks that JSON Schema cannot say are still made: the answer is validated by the schema itself.
  const converted = toJsonSchema(schema as Parameters<typeof toJsonSchema>[0], {
    target: 'draft-2020-12',
    typeMode: 'input',
    // A check that JSON Schema cannot say is still made: the schema itself validates the answer.
    overrideAction: ({ errors, jsonSchema }) => (errors ? jsonSchema : undefined),
  })
  return { ...converted }
}

/** Validates by the schema itself, so that its transforms and its own checks count. */
export const validateBy =
  (schema: StandardSchema): Validate =>
  async (value) => {
    const result = await schema['~standard'].validate(value)
    return result.issues
      ? { ok: false, problems: result.issues.map(toProblem) }
      : { ok: true, data: result.value }
  }

function toProblem(issue: StandardIssue): Problem {
  const keys = (issue.path ?? []).map((item) => (typeof item === 'object' ? item.key : item))
  const path = keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return { path, rule: ruleOf(issue), message: issue.message }
}

/**
 * Valibot names the rule in `type`, but a missing field after the object around it; zod and arktype in `code`. The
 * message may hold the value, and is not a rule.
 */
function ruleOf(issue: object): string {
  if ('received' in issue && issue.received === 'undefined') return 'required'
  if ('code' in issue && typeof issue.code === 'string') return issue.code
  return 'type' in issue && typeof issue.type === 'string' ? issue.type : 'check'
}
