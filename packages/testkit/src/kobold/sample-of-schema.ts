type Schema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** References that lead into themselves end here. */
const MOST_LEVELS = 16

/**
 * A value that most small JSON Schemas take, and the same one each time: the first of what is allowed, the least of
 * what is asked for. Patterns, formats and combinations (`allOf`, `not`, `if`) are not looked at.
 */
export function sampleOfSchema(schema: unknown, root: unknown = schema, level = 0): unknown {
  if (!isSchema(schema) || level > MOST_LEVELS) return null
  const below = (part: unknown) => sampleOfSchema(part, root, level + 1)
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if (typeof schema.$ref === 'string') return below(resolve(schema.$ref, root))
  const [first] = [schema.anyOf, schema.oneOf].find(Array.isArray) ?? []
  if (first !== undefined) return below(first)
  return sampleOfType(Array.isArray(schema.type) ? schema.type[0] : schema.type, schema, below)
}

function sampleOfType(type: unknown, schema: Schema, below: (part: unknown) => unknown): unknown {
  const { properties, items, minItems, minimum, minLength } = schema
  if (type === 'string') return 'simulated'.padEnd(Number(minLength ?? 0), '.')
  if (type === 'integer' || type === 'number') return Math.max(Number(minimum ?? 0), 0)
  if (type === 'boolean') return true
  if (type === 'array') return Array.from({ length: Number(minItems ?? 1) }, () => below(items ?? {}))
  if (type !== 'object' && !isSchema(properties)) return null
  const fields = Object.entries(isSchema(properties) ? properties : {})
  return Object.fromEntries(fields.map(([name, part]) => [name, below(part)]))
}

function resolve(reference: string, root: unknown): unknown {
  const names = reference.replace(/^#\/?/, '').split('/').filter(Boolean)
  return names.reduce<unknown>((part, name) => (isSchema(part) ? part[name] : undefined), root)
}
