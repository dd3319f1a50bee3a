import { readFileSync } from 'node:fs'
import { dereference, type Schema, validate } from '@cfworker/json-schema'

export interface Described {
  readonly responses: Readonly<Record<string, DescribedResponse>>
  readonly requestBody?: { readonly required: boolean }
}

export interface DescribedResponse {
  readonly $ref?: string
  readonly headers: Readonly<Record<string, DescribedHeader>>
  readonly content?: Readonly<Record<string, { readonly 'x-events'?: Readonly<Record<string, object>> }>>
}

export interface DescribedHeader {
  readonly $ref?: string
  readonly required?: boolean
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: {
    readonly headers: Readonly<Record<string, DescribedHeader>>
    readonly responses: Readonly<Record<string, DescribedResponse>>
    readonly schemas: Readonly<Record<string, object>>
  }
}

export interface DescribedApi {
  readonly document: Document
  /** The address as the description writes it: `/tickets/{id}`. The literal one goes before the one with a parameter. */
  pathOf(url: string): string | undefined
  /** What is wrong with a value, by the schema at a place of the document. */
  problems(side: 'request' | 'response', pointer: readonly string[], value: unknown): string[]
}

let loaded: DescribedApi | undefined

/** The published document. Its schemas are interpreted: compiled, they took longer than the tests that need them. */
export function describedApi(): DescribedApi {
  loaded ??= load()
  return loaded
}

function load(): DescribedApi {
  const text = readFileSync(new URL('../../ai-ticket-server/openapi.json', import.meta.url), 'utf8')
  const document = JSON.parse(text) as Document
  const sides = { request: readSchemas(document), response: readSchemas(closed(document) as Document) }
  const addresses = Object.keys(document.paths).map((path) => ({ path, pattern: patternOf(path) }))
  return {
    document,
    pathOf: (url) => (document.paths[url] ? url : addresses.find(({ pattern }) => pattern.test(url))?.path),
    problems: (side, pointer, value) => sides[side](pointer, value),
  }
}

/** Says what is wrong with a value by the schema at a place. References lead to the named schemas only. */
function readSchemas(document: Document): (pointer: readonly string[], value: unknown) => string[] {
  const named = dereference({ components: { schemas: document.components.schemas } } as Schema)
  const known = new Map<string, { schema: Schema; lookup: typeof named }>()
  const at = (pointer: readonly string[]) => {
    const schema = pointer.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document)
    const path = pointer.join('/')
    return {
      schema: schema as Schema,
      lookup: dereference(schema as Schema, { ...named }, undefined, `/${path}`),
    }
  }
  return (pointer, value) => {
    const path = pointer.join(' ')
    const found = known.get(path) ?? at(pointer)
    known.set(path, found)
    const { errors } = validate(value, found.schema, '2020-12', found.lookup, false)
    return errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)
  }
}

/** Names of models hold slashes. */
const patternOf = (path: string): RegExp =>
  new RegExp(
    `^${path
      .replaceAll('.', '\\.')
      .replace('{model}', '.+')
      .replace(/\{\w+\}/g, '[^/]+')}$`,
  )

/** Fields that a response has and the description has not are mistakes here; clients have to bear them. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item)]))
  const isObject = copy.type === 'object' && copy.properties !== undefined
  return isObject ? { additionalProperties: false, ...copy } : copy
}
