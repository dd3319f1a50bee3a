import { failure, type Result, success } from '../contract/failure.ts'
import { isPlainObject, kindOf } from '../contract/json-value.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { SCHEMA_LIMITS } from './answer-schema.ts'

/** Keyword of ours, put beside every reference so that following one is counted. */
export const COUNTED = 'ai-ticket-counted'

/**
 * A caller's schema, within the limits and without what would change how it is read: `$schema` and an `$id` at its
 * root (references stay inside the document), `$async`. Fails as `invalid_input_format`, naming the place.
 */
export function copySchema(schema: JsonSchema): Result<JsonSchema> {
  const { length } = JSON.stringify(schema)
  if (length > SCHEMA_LIMITS.length) {
    return refuse('schema', `has ${length} characters of JSON; at most ${SCHEMA_LIMITS.length} are taken`)
  }
  try {
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
const DROPPED = new Set(['$schema', '$vocabulary', '$comment', '$async', 'id', COUNTED])

function copy(schema: JsonSchema, place: Place): JsonSchema {
  const { path, depth, count } = place
  count.left -= 1
  if (count.left < 0) throw new Refusal('schema', `holds more than ${SCHEMA_LIMITS.subschemas} schemas`)
  if (depth >= SCHEMA_LIMITS.depth) {
    throw new Refusal(path, `is nested deeper than ${SCHEMA_LIMITS.depth} schemas`)
  }
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
  if ('$ref' in schema || '$dynamicRef' in schema) entries.push([COUNTED, true])
  // Not assigned one by one: a property may be named `__proto__`.
  return Object.fromEntries(entries)
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
  if (!MAPS.has(keyword) || !isPlainObject(value)) return value
  const named = Object.entries(value).map(([name, item]) => {
    const within = { ...place, path: `${place.path}.${name}` }
    if (keyword === 'patternProperties') checkPattern(name, within)
    return [name, copySchemaOrBoolean(item, within)]
  })
  return Object.fromEntries(named)
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
  return value
}
