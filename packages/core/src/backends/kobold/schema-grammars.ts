import * as v from 'valibot'
import { type Clock, withTimeout } from '../../contract/clock.ts'
import { isAnyObject } from '../../contract/json-value.ts'
import type { HttpClient } from '../http/client.ts'
import { JSON_OBJECT_GRAMMAR } from './endpoints.ts'
import { schemaToGbnf } from './schema-to-gbnf.ts'
import { versionReply } from './wire.ts'

/** JSON Schemas as grammars, made by the server or for it, and kept. */
export interface SchemaGrammars {
  /** The grammar of a schema that was asked for before. */
  kept(schema: Record<string, unknown>): string | undefined
  /** Undefined: a schema that cannot be turned, or no answer in time. */
  find(schema: Record<string, unknown>, signal: AbortSignal): Promise<string | undefined>
}

export interface SchemaGrammarOptions {
  readonly client: HttpClient
  readonly clock: Clock
}

const TIMEOUT_MS = 2_000
/** A server may be replaced by a newer one while we run. */
const KEEP_NO_MS = 600_000

const grammarReply = v.object({ result: v.string() })

/**
 * KoboldCPP from 1.90 turns a schema into a grammar and obeys that on all three endpoints, while a schema in
 * `response_format` is obeyed in chat alone and dropped without a word where it cannot be turned (fact 37).
 */
export function createSchemaGrammars({ client, clock }: SchemaGrammarOptions): SchemaGrammars {
  const grammars = new WeakMap<object, { grammar: string | undefined; until: number }>()

  async function ask(schema: Record<string, unknown>, signal: AbortSignal): Promise<string | undefined> {
    const version = await read(
      client.send({ method: 'GET', path: '/api/extra/version', signal }),
      versionReply,
    )
    // An older server answers an unknown path with 503 while it is busy, so it is not asked.
    if (version?.version && !knowsSchemas(version.version)) return schemaToGbnf(schema)
    const body = JSON.stringify({ schema })
    const call = client.send({ method: 'POST', path: '/api/extra/json_to_grammar', body, signal })
    return (await read(call, grammarReply))?.result || undefined
  }

  return {
    kept: (schema) => (isAnyObject(schema) ? JSON_OBJECT_GRAMMAR : grammars.get(schema)?.grammar),
    async find(schema, signal) {
      if (isAnyObject(schema)) return JSON_OBJECT_GRAMMAR
      const known = grammars.get(schema)
      if (known && known.until > clock.now()) return known.grammar
      try {
        const grammar = await withTimeout(clock, { timeoutMs: TIMEOUT_MS, signal }, (limited) =>
          ask(schema, limited),
        )
        const until = grammar === undefined ? clock.now() + KEEP_NO_MS : Number.POSITIVE_INFINITY
        grammars.set(schema, { grammar, until })
        return grammar
      } catch {
        // The call says what is wrong with the server; the next event asks for its grammar again.
        return undefined
      }
    },
  }
}

/** Undefined: another status than 2xx, or not what the schema says. */
async function read<Schema extends v.GenericSchema>(
  sent: Promise<Response>,
  schema: Schema,
): Promise<v.InferOutput<Schema> | undefined> {
  const response = await sent
  const text = await response.text()
  if (!response.ok) return undefined
  const { success, output } = v.safeParse(schema, JSON.parse(text))
  return success ? output : undefined
}

function knowsSchemas(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 1 || minor >= 90
}
