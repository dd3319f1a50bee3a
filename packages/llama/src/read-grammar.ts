import type { GenerationRequest } from '@ai-ticket/core'
import type { LlamaGrammar } from 'node-llama-cpp'
import type { Engine } from './open-engine.ts'
import { refused } from './read-prompt.ts'

/** What the answer must look like; throws a `BackendError` for a schema or grammar that cannot be followed. */
export async function readGrammar(
  { llama }: Engine,
  name: string,
  { parameters, schema }: GenerationRequest,
): Promise<LlamaGrammar | undefined> {
  const { grammar, response_format } = parameters
  const wanted = schema ?? schemaOf(response_format)
  try {
    if (grammar !== undefined) return await llama.createGrammar({ grammar })
    // To the library an object without properties is an empty one.
    if (wanted !== undefined && isAnyObject(wanted)) return await llama.getGrammarFor('json')
    // The library reads the schema itself and throws at what it does not know; its type can name no unknown one.
    if (wanted !== undefined) return await llama.createGrammarForJsonSchema(wanted as { type: 'object' })
    if (response_format?.type === 'json_object') return await llama.getGrammarFor('json')
    return undefined
  } catch (error) {
    const what =
      grammar === undefined ? 'the JSON Schema cannot be made into a grammar' : 'the grammar is wrong'
    throw refused(name, what, error)
  }
}

const isAnyObject = ({ type, additionalProperties = true, ...more }: Record<string, unknown>) =>
  type === 'object' && additionalProperties === true && Object.keys(more).length === 0

function schemaOf(format: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const { json_schema } = format ?? {}
  if (format?.type !== 'json_schema' || typeof json_schema !== 'object' || json_schema === null)
    return undefined
  const { schema } = json_schema as { schema?: unknown }
  return typeof schema === 'object' && schema !== null ? { ...schema } : undefined
}
