import type * as v from 'valibot'

type Words<Entries extends v.ObjectEntries> = Readonly<Partial<Record<keyof Entries & string, string>>>

const WORDS = new WeakMap<object, Readonly<Record<string, string | undefined>>>()

/**
 * Words for the fields of an object. They stand beside the schema, not in it: what validates on the hot path stays lean,
 * and a field with a named schema stays a reference.
 */
export function described<Schema extends { readonly entries: v.ObjectEntries }>(
  schema: Schema,
  words: Words<Schema['entries']>,
): Schema {
  WORDS.set(schema, words)
  return schema
}

export const wordsOf = (schema: object): Readonly<Record<string, string | undefined>> =>
  WORDS.get(schema) ?? {}
