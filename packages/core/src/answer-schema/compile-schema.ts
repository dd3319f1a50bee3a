import { _, Ajv2020, type ErrorObject, type Format, type ValidateFunction } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import { failure, type Result, success } from '../contract/failure.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { ANSWER_LIMITS, type Problem, type Purse, type Validate, type Verdict } from './answer-schema.ts'
import {
  type CheckBudget,
  type Cost,
  canonical,
  createCheckBudget,
  createPattern,
  OverBudget,
  type Pattern,
  PatternError,
} from './check-budget.ts'
import { COST, copySchema } from './copy-schema.ts'

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
    const decide = createAjv(budget, { allErrors: false }).compile(copied.value)
    let all: ValidateFunction | undefined
    const explain = () => {
      all ??= createAjv(budget, { allErrors: true }).compile(copied.value)
      return all
    }
    return success((value, purse) => check({ decide, explain, budget }, value, purse))
  } catch (error) {
    if (error instanceof PatternError) return refuse(error.message)
    return refuse(error instanceof RangeError ? 'it is too complex' : messageOf(error))
  }
}

/** Knows which keywords a schema may use. Made once, because that takes longer than compiling most schemas. */
const meta = new Ajv2020({ strict: false, logger: false, validateFormats: false })

function createAjv(budget: CheckBudget, { allErrors }: { readonly allErrors: boolean }): Ajv2020 {
  const ajv = new Ajv2020({
    // What a caller's schema says beside the standard is no fault of the caller's.
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    allErrors,
    // Prices and the like: 19.99 is a multiple of 0.01.
    multipleOfPrecision: 6,
    // A reference stays a call that is counted, and a schema stays as long as it was written.
    inlineRefs: false,
    code: { optimize: false, regExp: asEngine((source) => createPattern(source, budget)) },
  })
  for (const name of FORMATS) ajv.addFormat(name, boundedFormat(fullFormats[name], budget))
  // `errors: false`: they make none of their own. Ajv would copy all that it has for each of those.
  ajv.addKeyword({
    keyword: COST,
    errors: false,
    schemaType: 'object',
    validate: (cost: Cost, value: unknown) => budget.countSchema(cost, value),
  })
  // Ajv compares all pairs of items, and each value with each that it may be.
  ajv.removeKeyword('uniqueItems').addKeyword({
    keyword: 'uniqueItems',
    errors: false,
    type: 'array',
    schemaType: 'boolean',
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || hasUniqueItems(items, budget),
  })
  ajv.removeKeyword('enum').addKeyword({
    keyword: 'enum',
    errors: false,
    schemaType: 'array',
    compile: (choices: unknown[]) => isAmong(choices, budget),
    error: { message: '', params: ({ schemaCode }) => _`{allowedValues: ${schemaCode}}` },
  })
  return ajv
}

/** The formats of the standard that ajv-formats knows. */
const FORMATS = [
  ...(['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6'] as const),
  ...(['uri', 'uri-reference', 'uri-template', 'uuid', 'json-pointer', 'relative-json-pointer'] as const),
]

function boundedFormat(format: Format, budget: CheckBudget): (text: string) => boolean {
  const test = typeof format === 'object' && 'validate' in format ? format.validate : format
  return (text) => {
    if (text.length > ANSWER_LIMITS.formatLength) return false
    // Some of the patterns begin again at each character.
    budget.count(text.length + Math.floor(text.length ** 2 / 16))
    if (test instanceof RegExp) return test.test(text)
    // The other kinds of formats are of numbers, asynchronous or always right.
    return typeof test !== 'function' || Reflect.apply(test, undefined, [text]) === true
  }
}

/** The name by which generated code would ask for the engine; ours is never written out. */
const asEngine = (create: (source: string) => Pattern) => Object.assign(create, { code: 'createPattern' })

interface Checker {
  /** Ends at the first rule that is broken. */
  readonly decide: ValidateFunction
  /** Finds them all: made when first needed. */
  readonly explain: () => ValidateFunction
  readonly budget: CheckBudget
}

function check(checker: Checker, value: unknown, purse: Purse): Verdict {
  const { decide, budget } = checker
  budget.open(purse)
  const errors = errorsOf(decide, value)
  if (errors?.length === 0) return { ok: true, data: value }
  if (errors === undefined) return { ok: false, problems: [TOO_COMPLEX] }
  return { ok: false, problems: (explain(checker, value) ?? errors).map(toProblem) }
}

/** All the errors there are, where they are not too many: Ajv copies those it has at each reference that adds some. */
function explain({ explain, budget }: Checker, value: unknown): readonly ErrorObject[] | undefined {
  budget.open({ steps: ANSWER_LIMITS.steps - ANSWER_LIMITS.stepsToExplain })
  return errorsOf(explain(), value)
}

/** None: it matches. Undefined: finding out takes too long. */
function errorsOf(run: ValidateFunction, value: unknown): readonly ErrorObject[] | undefined {
  try {
    return run(value) ? [] : (run.errors ?? []).slice(0, ANSWER_LIMITS.problems)
  } catch (error) {
    if (error instanceof OverBudget || error instanceof RangeError) return undefined
    throw error
  } finally {
    // The validator stays, and so would the errors of a wild answer.
    run.errors = null
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
  return { path, rule: keyword, message: describeRule(keyword, params, message).slice(0, MOST_MESSAGE) }
}

/** The longest message about one rule, in characters: a list of choices may be as long as the schema. */
const MOST_MESSAGE = 1_000

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

/** Whether no two items are the same JSON. Takes time for each item once. */
const hasUniqueItems = (items: readonly unknown[], budget: CheckBudget): boolean =>
  new Set(items.map((item) => canonical(item, budget))).size === items.length

/** Whether a value is one of the choices, however many they are. */
function isAmong(choices: readonly unknown[], budget: CheckBudget): (value: unknown) => boolean {
  const isDeep = (value: unknown) => typeof value === 'object' && value !== null
  const plain = new Set(choices.filter((choice) => !isDeep(choice)))
  const deep = new Set(choices.filter(isDeep).map((choice) => canonical(choice)))
  return (value) => (isDeep(value) ? deep.size > 0 && deep.has(canonical(value, budget)) : plain.has(value))
}
