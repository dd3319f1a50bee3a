/**
 * A JSON Schema as a grammar (GBNF), for servers that obey grammars and cannot make one themselves (KoboldCPP before
 * 1.90). It holds the shape: types, names of properties in their order, `required`, `enum`, `const`, `items`,
 * `minItems`, `maxItems`, alternatives, and the length of short texts. Ranges and patterns are left to the check of the answer. Further properties are
 * not offered. Undefined where the schema needs what a grammar cannot say (`not`, `if`, a foreign `$ref` …).
 */
export function schemaToGbnf(schema: Record<string, unknown>): string | undefined {
  const grammar = new Grammar(schema)
  try {
    const root = grammar.of(schema)
    return [`root ::= ${root}`, ...grammar.rules()].join('\n')
  } catch (error) {
    if (error instanceof Unsayable) return undefined
    throw error
  }
}

class Unsayable extends Error {}

type Schema = Readonly<Record<string, unknown>>

/** No recursive schema is deeper than its rules; one that is written out so deep is a mistake or an attack. */
const MAX_DEPTH = 32
const MAX_RULES = 2000
/** Longest text, in characters, that is written out character by character. */
const SHORT = 64
/** Numbers stop somewhere, else a small model writes digits to its limit. */
const DIGITS = ' [0-9]?'.repeat(15)

const BASE: Readonly<Record<string, string>> = {
  string: String.raw`"\"" char* "\""`,
  char: String.raw`[^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" hex hex hex hex)`,
  hex: '[0-9a-fA-F]',
  integer: `"-"? ("0" | [1-9]${DIGITS})`,
  number: `integer ("." [0-9]${DIGITS})? ([eE] [-+]? [0-9] [0-9]?)?`,
  boolean: '"true" | "false"',
  null: '"null"',
  any: 'string | number | boolean | null | anyobject | anyarray',
  anyobject: '"{" (anymember (comma anymember)*)? "}"',
  anymember: 'string colon any',
  anyarray: '"[" (any (comma any)*)? "]"',
  colon: '":" " "?',
  comma: '"," " "?',
}

const UNSAYABLE = [
  'not',
  'if',
  'prefixItems',
  'patternProperties',
  'contains',
  'dependentRequired',
  'dependentSchemas',
]
const TYPES = ['string', 'number', 'integer', 'boolean', 'null'] as const

class Grammar {
  readonly #root: Schema
  readonly #rules = new Map<string, string>()
  readonly #refs = new Map<string, string>()

  constructor(root: Schema) {
    this.#root = root
  }

  /** All rules but the root, with those of JSON that are used by them. */
  rules(): string[] {
    return [...Object.entries(BASE), ...this.#rules].map(([name, text]) => `${name} ::= ${text}`)
  }

  /** The name of a rule, or a literal. */
  of(schema: unknown, depth = 0): string {
    if (schema === true) return 'any'
    if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) throw new Unsayable()
    const one = schema as Schema
    if (UNSAYABLE.some((keyword) => keyword in one)) throw new Unsayable()
    if (typeof one.$ref === 'string') return this.#ref(one.$ref, depth)
    if ('const' in one) return literal(one.const)
    if (Array.isArray(one.enum)) return this.#either(one.enum.map(literal))
    const choices = one.anyOf ?? one.oneOf
    if (Array.isArray(choices)) return this.#either(choices.map((choice) => this.of(choice, depth + 1)))
    if (Array.isArray(one.allOf)) {
      if (one.allOf.length !== 1 || 'properties' in one) throw new Unsayable()
      return this.of(one.allOf[0], depth + 1)
    }
    if (Array.isArray(one.type)) {
      return this.#either(one.type.map((type) => this.of({ ...one, type }, depth + 1)))
    }
    return this.#ofType(one, depth)
  }

  #ofType(schema: Schema, depth: number): string {
    const { type = 'properties' in schema ? 'object' : 'items' in schema ? 'array' : undefined } = schema
    if (type === undefined) return 'any'
    if (type === 'object') return this.#object(schema, depth)
    if (type === 'array') return this.#array(schema, depth)
    if (type === 'string') return this.#string(schema)
    const known = TYPES.find((name) => name === type)
    if (known === undefined) throw new Unsayable()
    return known
  }

  /** A short text is held to its length, which a small model would not keep. */
  #string({ minLength = 0, maxLength }: Schema): string {
    if (typeof minLength !== 'number' || typeof maxLength !== 'number' || maxLength > SHORT) return 'string'
    const length = Math.max(0, maxLength - minLength)
    return this.#rule(String.raw`"\""${' char'.repeat(minLength)}${' char?'.repeat(length)} "\""`)
  }

  /** Each property in turn; an optional one may be left out. `more`: another stands before it, so a comma is due. */
  #object({ properties = {}, required = [] }: Schema, depth: number): string {
    if (typeof properties !== 'object' || properties === null || !Array.isArray(required))
      throw new Unsayable()
    const names = [...new Set([...Object.keys(properties), ...required.map(String)])]
    if (names.length === 0) return 'anyobject'
    let rest = { first: '""', more: '""' }
    for (const name of names.reverse()) {
      const value = Object.hasOwn(properties, name) ? (properties as Schema)[name] : true
      const member = `${literal(name)} colon ${this.of(value, depth + 1)}`
      const isRequired = required.includes(name)
      const then = rest
      rest = {
        first: this.#rule(`${member} ${then.more}${isRequired ? '' : ` | ${then.first}`}`),
        more: this.#rule(`comma ${member} ${then.more}${isRequired ? '' : ` | ${then.more}`}`),
      }
    }
    return this.#rule(`"{" ${rest.first} "}"`)
  }

  #array({ items = true, minItems = 0, maxItems }: Schema, depth: number): string {
    const item = this.of(items, depth + 1)
    if (typeof minItems !== 'number' || minItems > MAX_DEPTH) throw new Unsayable()
    const most =
      typeof maxItems === 'number' && maxItems <= MAX_DEPTH ? Math.max(maxItems, minItems) : undefined
    if (most === 0) return '"[]"'
    const first = Math.max(1, minItems)
    const [open, close] =
      most === undefined ? ['', ` (comma ${item})*`] : optionally(`comma ${item}`, most - first)
    const needed = [item, ...Array.from({ length: first - 1 }, () => `comma ${item}`)].join(' ')
    const all = `${needed}${open}${close}`
    return this.#rule(minItems < 1 ? `"[" (${all})? "]"` : `"[" ${all} "]"`)
  }

  #ref(ref: string, depth: number): string {
    const known = this.#refs.get(ref)
    if (known !== undefined) return known
    if (!ref.startsWith('#/') && ref !== '#') throw new Unsayable()
    let target: unknown = this.#root
    for (const part of ref.split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) throw new Unsayable()
      target = (target as Schema)[key]
    }
    const name = `ref${this.#refs.size}`
    this.#refs.set(ref, name)
    const text = this.of(target, depth + 1)
    // A schema that is nothing but itself.
    if (text === name) throw new Unsayable()
    this.#rules.set(name, text)
    return name
  }

  #either(choices: readonly string[]): string {
    if (choices.length === 0) throw new Unsayable()
    return choices.length === 1 ? (choices[0] ?? '') : this.#rule(choices.join(' | '))
  }

  #rule(text: string): string {
    if (this.#rules.size >= MAX_RULES) throw new Unsayable()
    const name = `r${this.#rules.size}`
    this.#rules.set(name, text)
    return name
  }
}

/** Up to `times` of it, one within the other: `(x (x)?)?`. */
const optionally = (text: string, times: number): [string, string] => [
  ` (${text}`.repeat(times),
  ')?'.repeat(times),
]

/** The JSON of a value, as GBNF quotes it. */
function literal(value: unknown): string {
  const json = JSON.stringify(value)
  if (json === undefined) throw new Unsayable()
  return JSON.stringify(json)
}
