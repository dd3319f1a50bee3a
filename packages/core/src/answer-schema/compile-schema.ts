import { Ajv2020, type ErrorObject, type Format, type ValidateFunction } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import { failure, type Result, success } from '../contract/failure.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { ANSWER_LIMITS, type Problem, type Validate, type Verdict } from './answer-schema.ts'
import {
  type CheckBudget,
  createCheckBudget,
  createPattern,
  OverBudget,
  type Pattern,
  PatternError,
} from './check-budget.ts'
import { COUNTED, copySchema } from './copy-schema.ts'

/**
 * Makes a validator of a caller's JSON Schema (2020-12). Costs some milliseconds; keep it. Fails as
 * `invalid_input_format`, naming the place, for what is no schema, too large, or has a pattern that cannot be run in
 * bounded time. Unknown keywords and formats are passed over.
 */
export function compileSchema(given: JsonSchema): Result<Validate> {
  const copied = copySchema(given)
  if (!copied.ok) return copied
  const budget = createCheckBudget()
  try {
    if (!meta.validateSchema(copied.value)) return refuse(describeFault(meta.errors?.[0]))
    const run = createAjv(budget).compile(copied.value)
    return success((value) => check(run, value, budget))
  } catch (error) {
    if (error instanceof PatternError) return refuse(error.message)
    return refuse(error instanceof RangeError ? 'it is too complex' : messageOf(error))
  }
}

/** Knows which keywords a schema may use. Made once, because that takes longer than compiling most schemas. */
const meta = new Ajv2020({ strict: false, logger: false, validateFormats: false })

function createAjv(budget: CheckBudget): Ajv2020 {
  const ajv = new Ajv2020({
    // What a caller's schema says beside the standard is no fault of the caller's.
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    allErrors: true,
    // Prices and the like: 19.99 is a multiple of 0.01.
    multipleOfPrecision: 6,
    // A reference stays a call that is counted, and a schema stays as long as it was written.
    inlineRefs: false,
    code: { optimize: false, regExp: asEngine((source) => createPattern(source, budget)) },
  })
  for (const name of FORMATS) ajv.addFormat(name, boundedFormat(fullFormats[name]))
  ajv.addKeyword({ keyword: COUNTED, schemaType: 'boolean', validate: () => budget.countReference() })
  // Ajv compares all pairs of items.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || hasUniqueItems(items),
  })
  return ajv
}

/** The formats of the standard that ajv-formats knows. */
const FORMATS = [
  ...(['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6'] as const),
  ...(['uri', 'uri-reference', 'uri-template', 'uuid', 'json-pointer', 'relative-json-pointer'] as const),
]

function boundedFormat(format: Format): (text: string) => boolean {
  const test = typeof format === 'object' && 'validate' in format ? format.validate : format
  return (text) => {
    if (text.length > ANSWER_LIMITS.formatLength) return false
    if (test instanceof RegExp) return test.test(text)
    // The other kinds of formats are of numbers, asynchronous or always right.
    return typeof test !== 'function' || Reflect.apply(test, undefined, [text]) === true
  }
}

/** The name by which generated code would ask for the engine; ours is never written out. */
const asEngine = (create: (source: string) => Pattern) => Object.assign(create, { code: 'createPattern' })

function check(run: ValidateFunction, value: unknown, budget: CheckBudget): Verdict {
  budget.reset()
  try {
    return run(value) ? { ok: true, data: value } : { ok: false, problems: (run.errors ?? []).map(toProblem) }
  } catch (error) {
    if (error instanceof OverBudget || error instanceof RangeError)
      return { ok: false, problems: [TOO_COMPLEX] }
    throw error
  }
}

const TOO_COMPLEX: Problem = {
  path: '',
  rule: 'complexity',
  message: 'checking the answer against the schema takes too long',
}

function toProblem({ instancePath, keyword, params, message = '' }: ErrorObject): Problem {
  const property = params.additionalProperty ?? params.unevaluatedProperty ?? params.missingProperty
  const path = typeof property === 'string' ? `${instancePath}/${escapePointer(property)}` : instancePath
  return { path, rule: keyword, message: describeRule(keyword, params, message) }
}

const escapePointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

function describeRule(keyword: string, params: ErrorObject['params'], message: string): string {
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params.allowedValues)}`
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`
  if (keyword === 'required') return 'is missing'
  if (keyword === 'uniqueItems') return 'must not hold the same item twice'
  if (/^(additional|unevaluated)Properties$/.test(keyword)) return 'is not allowed'
  return message
}

const refuse = (reason: string) =>
  failure({
    code: 'invalid_input_format',
    details: `\`schema\` is not a JSON Schema (2020-12) that can be checked: ${reason}.`,
  })

function describeFault(error: ErrorObject | undefined): string {
  if (!error) return 'it does not match its meta-schema'
  return `${error.instancePath || 'it'} ${error.message ?? 'is wrong'}`
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : 'it cannot be compiled')

/** Whether no two items are the same JSON, whatever the order of their keys. Takes time for each item once. */
function hasUniqueItems(items: readonly unknown[]): boolean {
  return new Set(items.map((item) => JSON.stringify(item, withSortedKeys))).size === items.length
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
