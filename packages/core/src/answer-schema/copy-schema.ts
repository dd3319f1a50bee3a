import { failure, type Result, success } from '../contract/failure.ts'
import { findLongNumber, isPlainObject, kindOf, roundNumbers } from '../contract/json-value.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { SCHEMA_LIMITS, UNWRITABLE, writeSchema } from './answer-schema.ts'
import { type Cost, describePatternFault } from './check-budget.ts'

/** Keyword of ours, put into every schema: a `Cost`, so that holding it against a value is counted. */
export const COST = 'ai-ticket-cost'

/**
 * A caller's schema, within the limits and without what would change how it is read: `$schema` and an `$id` at its
 * root (references stay inside the document), `$async`. Fails as `invalid_input_format`, naming the place.
 */
export function copySchema(schema: JsonSchema): Result<JsonSchema> {
  const length = writeSchema(schema)?.length
  if (length === undefined) return failure(UNWRITABLE)
  if (length > SCHEMA_LIMITS.length) {
    return refuse('schema', `has ${length} characters of JSON; at most ${SCHEMA_LIMITS.length} are taken`)
  }
  try {
    refuseWrapper(schema)
    return success(copy(schema, { path: 'schema', depth: 0, count: { left: SCHEMA_LIMITS.subschemas } }))
  } catch (error) {
    if (error instanceof Refusal) return refuse(error.path, error.message)
    throw error
  }
}

class Refusal extends Error {
  readonly path: string

  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

const refuse = (path: string, message: string) =>
  failure({ code: 'invalid_input_format', details: `\`${path}\` ${message}.` })

interface Place {
  readonly path: string
  readonly depth: number
  readonly count: { left: number }
}

const MAPS = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const SINGLES = new Set([
  'items',
  'additionalProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
])
const REFERENCES = new Set(['$ref', '$dynamicRef'])
const DROPPED = new Set(['$schema', '$vocabulary', '$comment', '$async', 'id', COST])

function copy(schema: JsonSchema, place: Place): JsonSchema {
  const { path, depth, count } = place
  count.left -= 1
  if (count.left < 0) throw new Refusal('schema', `holds more than ${SCHEMA_LIMITS.subschemas} schemas`)
  if (depth >= SCHEMA_LIMITS.depth) {
    throw new Refusal(path, `is nested deeper than ${SCHEMA_LIMITS.depth} schemas`)
  }
  refuseNothing(schema, path)
  const entries: [string, unknown][] = []
  for (const [keyword, value] of Object.entries(schema)) {
    if (DROPPED.has(keyword)) continue
    if (keyword === '$id') {
      if (depth > 0) throw new Refusal(`${path}.$id`, 'is not taken: a schema is one document')
      continue
    }
    entries.push([
      keyword,
      copyValue(keyword, value, { path: `${path}.${keyword}`, depth: depth + 1, count }),
    ])
  }
  entries.push([COST, costOf(schema)])
  // Not assigned one by one: a property may be named `__proto__`.
  return Object.fromEntries(entries)
}

/** Rules that go through all keys of an object. */
const KEY_READERS = [
  ...['additionalProperties', 'unevaluatedProperties', 'patternProperties', 'propertyNames'],
  ...['minProperties', 'maxProperties'],
]

function costOf(schema: JsonSchema): Cost {
  const rules = Object.entries(schema).reduce((sum, [keyword, value]) => sum + rulesOf(keyword, value), 1)
  return { rules, readsKeys: KEY_READERS.some((keyword) => keyword in schema) }
}

function rulesOf(keyword: string, value: unknown): number {
  if (DROPPED.has(keyword) || REMARKS.has(keyword) || keyword === 'enum') return 1
  if (MAPS.has(keyword) && isPlainObject(value)) return Object.keys(value).length
  return SINGLES.has(keyword) || LISTS.has(keyword) ? 1 : valuesIn(value)
}

/** A list of names is a rule for each of them, and a constant is compared part by part. */
function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce<number>((sum, part) => sum + valuesIn(part), 1)
}

function copyValue(keyword: string, value: unknown, place: Place): unknown {
  if (REFERENCES.has(keyword)) return checkReference(value, place)
  if (keyword === 'pattern') return checkPattern(value, place)
  if (SINGLES.has(keyword)) return copySchemaOrBoolean(value, place)
  if (LISTS.has(keyword) && Array.isArray(value)) {
    return value.map((item, index) =>
      copySchemaOrBoolean(item, { ...place, path: `${place.path}[${index}]` }),
    )
  }
  if (!MAPS.has(keyword) || !isPlainObject(value)) return copyNumbers(keyword, value, place)
  const named = Object.entries(value).map(([name, item]) => {
    const within = { ...place, path: `${place.path}.${name}` }
    if (keyword === 'patternProperties') checkPattern(name, within)
    return [name, copySchemaOrBoolean(item, within)]
  })
  return Object.fromEntries(named)
}

/** A bound is rounded like what is compared with it; a value that is compared as a whole must not be another one. */
function copyNumbers(keyword: string, value: unknown, { path }: Place): unknown {
  if (findLongNumber(value) === undefined) return value
  if (keyword === 'enum' || keyword === 'const') {
    throw new Refusal(path, 'holds a number with more digits than can be compared; make it a string')
  }
  return roundNumbers(value)
}

function copySchemaOrBoolean(value: unknown, place: Place): unknown {
  if (typeof value === 'boolean') return value
  if (!isPlainObject(value)) throw new Refusal(place.path, `must be a schema; it is ${kindOf(value)}`)
  return copy(value, place)
}

function checkReference(value: unknown, { path }: Place): string {
  if (typeof value === 'string' && value.startsWith('#')) return value
  throw new Refusal(path, 'must begin with "#": references stay inside the schema')
}

function checkPattern(value: unknown, { path }: Place): unknown {
  if (typeof value === 'string' && value.length > SCHEMA_LIMITS.patternLength) {
    throw new Refusal(path, `is longer than ${SCHEMA_LIMITS.patternLength} characters`)
  }
  const fault = typeof value === 'string' ? describePatternFault(value) : undefined
  if (fault !== undefined) throw new Refusal(path, `is a pattern that cannot be run: ${fault}`)
  return value
}

/** Keywords that an answer can break. */
const RULES = new Set([
  ...['type', 'enum', 'const', 'required', 'pattern', 'multipleOf', 'uniqueItems', 'dependentRequired'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems'],
  ...['maxItems', 'minContains', 'maxContains', 'minProperties', 'maxProperties'],
  ...['properties', 'patternProperties', 'dependentSchemas', 'dependencies'],
  ...LISTS,
  ...SINGLES,
  ...REFERENCES,
])
/** Keywords that alone say nothing, and are common names of fields, too. */
const REMARKS = new Set([
  ...['title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'format'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema', '$id', '$anchor', '$dynamicAnchor'],
  ...['$defs', 'definitions', ...DROPPED],
])

const hasRule = (schema: object): boolean => Object.keys(schema).some((keyword) => RULES.has(keyword))

/**
 * Unknown keywords are passed over, so that an object which is no schema would take any answer: an example, or fields
 * without `properties` around them. Remarks alone, and nothing at all, may stand for "anything".
 */
function refuseNothing(schema: JsonSchema, path: string): void {
  if (hasRule(schema)) return
  const unknown = Object.entries(schema).filter(([keyword]) => !REMARKS.has(keyword))
  // Within a schema somebody's own remarks are no reason to refuse it.
  const isNone = path === 'schema' ? unknown.length > 0 : unknown.some(([, value]) => isRuled(value))
  if (isNone) {
    throw new Refusal(
      path,
      'is no JSON Schema: it holds no keyword like `type` or `properties`, so that any answer would match',
    )
  }
}

const isRuled = (value: unknown): value is JsonSchema => isPlainObject(value) && hasRule(value)

/** Where schemas are wrapped for other interfaces: formats of answers, and tools. */
const WRAPPERS = [
  'schema',
  'json_schema',
  'response_format',
  'format',
  'function',
  'parameters',
  'input_schema',
]
/** Rules beside which something named like a wrapper is passed over as unknown. */
const OWN = ['properties', 'items', 'prefixItems', 'anyOf', 'oneOf', 'allOf', '$ref', 'enum', 'const']

/** The wrapper around a schema would take any answer, too. */
function refuseWrapper(schema: JsonSchema): void {
  const path = wrappedPath(schema)
  if (path === undefined) return
  throw new Refusal('schema', `is no JSON Schema but wraps one; send what is at \`schema.${path}\``)
}

function wrappedPath(wrapper: JsonSchema): string | undefined {
  if (OWN.some((keyword) => Object.hasOwn(wrapper, keyword))) return undefined
  for (const name of WRAPPERS) {
    const inner = Object.hasOwn(wrapper, name) ? wrapper[name] : undefined
    if (!isPlainObject(inner)) continue
    const deeper = wrappedPath(inner)
    if (deeper !== undefined) return `${name}.${deeper}`
    if (hasRule(inner) || (name === 'schema' && Object.keys(inner).length === 0)) return name
  }
  return undefined
}
