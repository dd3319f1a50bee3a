import { pythonJson } from '../wire/python-json.ts'
import type { WholeReply } from '../wire/reply-sink.ts'
import { jsonReply } from '../wire/reply-sink.ts'
import { countTokens } from '../wire/simulated-tokens.ts'
import { renderMessages } from './read-generation-request.ts'
import type { ResolvedOptions } from './simulator-options.ts'

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function promptOf(body: Readonly<Record<string, unknown>>): unknown {
  return 'messages' in body ? renderMessages(body.messages) : (body.prompt ?? '')
}

/** `POST /api/extra/tokencount`. The ids are invented: 1 for the beginning, then 403 and up. */
export function countTokensReply(body: unknown, options: ResolvedOptions): WholeReply {
  const prompt = isRecord(body) ? promptOf(body) : undefined
  if (!isRecord(body) || typeof prompt !== 'string') return jsonReply('{"value": -1}', 400)
  const shown = options.version === '1.76' ? {} : { prompt }
  if (options.model === null) return jsonReply(pythonJson({ value: 0, ids: [], ...shown }))
  const beginning = body.special === false ? [] : [1]
  const ids = [...beginning, ...Array.from({ length: countTokens(prompt) }, (_, index) => 403 + index)]
  return jsonReply(pythonJson({ value: ids.length, ids, ...shown }))
}
