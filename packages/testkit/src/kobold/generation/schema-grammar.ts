import { isRecord } from '../../wire/json-record.ts'
import { pythonJson } from '../../wire/python-json.ts'
import { jsonReply, type WholeReply } from '../../wire/reply-sink.ts'

const MARK = '# made of '
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']
const failed = { result: '', success: false }

/**
 * `POST /api/extra/json_to_grammar` [1.115.1]. The grammar is any JSON; the schema stands in a comment, so that the
 * simulator knows it again when it is sent back.
 */
export function grammarReply(body: unknown): WholeReply {
  if (!isRecord(body)) return jsonReply(pythonJson(failed), 400)
  const schema = body.schema ?? body
  const type = isRecord(schema) ? schema.type : undefined
  const isKnown = isRecord(schema) && (typeof type !== 'string' || TYPES.includes(type))
  if (!isKnown) return jsonReply(pythonJson(failed))
  const result = `${MARK}${JSON.stringify(schema)}\nroot ::= [^\\x00]*`
  return jsonReply(pythonJson({ result, success: true }))
}

/** The schema that a grammar of ours was made of; undefined for any other. */
export function schemaOfGrammar(grammar: unknown): unknown {
  if (typeof grammar !== 'string' || !grammar.startsWith(MARK)) return undefined
  return JSON.parse(grammar.slice(MARK.length, grammar.indexOf('\n')))
}
