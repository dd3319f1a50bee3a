import { plainObject } from '@ai-ticket/core/schemas'
import { type ConversionConfig, type JsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import * as v from 'valibot'
import { wordsOf } from './operation.ts'

export interface JsonSchemas {
  /** The named ones. */
  readonly named: Readonly<Record<string, JsonSchema>>
  /** One of them as a reference, any other as it is. */
  convert(schema: GenericSchema): JsonSchema
}

const CONFIG: ConversionConfig = {
  target: 'draft-2020-12',
  // Where several schemas follow each other, the last says most; none of ours changes a value.
  typeMode: 'output',
  overrideSchema: ({ valibotSchema, jsonSchema }) => {
    if (valibotSchema === plainObject) return { type: 'object' }
    // It says that names are strings.
    if (valibotSchema.type === 'record') delete jsonSchema.propertyNames
    addWords(jsonSchema, wordsOf(valibotSchema))
    return undefined
  },
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
}

/**
 * Valibot's schemas as JSON Schema 2020-12, the dialect of OpenAPI 3.1. All in one go: each call of the converter
 * converts all the named ones again, and blocks the event loop meanwhile.
 */
export function jsonSchemas(
  definitions: Readonly<Record<string, GenericSchema>>,
  others: Iterable<GenericSchema>,
): JsonSchemas {
  const places = new Map([...new Set(others)].map((schema, place) => [schema, String(place)]))
  const all = v.object(Object.fromEntries([...places].map(([schema, place]) => [place, schema])))
  const { [OTHERS]: written, ...named } = toJsonSchemaDefs({ ...definitions, [OTHERS]: all }, CONFIG)
  return {
    named,
    convert(schema) {
      const found = written?.properties?.[places.get(schema) ?? '']
      if (typeof found !== 'object') throw new Error('A schema was not among those to convert.')
      return found
    },
  }
}

/** No name that a schema can have. */
const OTHERS = '#'

function addWords({ properties = {} }: JsonSchema, words: ReturnType<typeof wordsOf>): void {
  for (const [name, description] of Object.entries(words)) {
    const field = properties[name]
    if (typeof field === 'object' && description !== undefined) properties[name] = { ...field, description }
  }
}
