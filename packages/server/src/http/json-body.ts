import { isUtf8 } from 'node:buffer'
import type { FailureCode } from '@ai-ticket/core'
import { inspectJson, MAX_JSON_DEPTH } from './inspect-json.ts'
import { RequestProblem } from './request-problem.ts'

const problem = (code: FailureCode, details: string) => new RequestProblem({ code, details })

/**
 * Bytes of a request, or of a line of a file, to a JSON value: no deeper than 64 levels, no keys that change prototypes.
 * Throws a `RequestProblem` about `name`; its details never quote the content.
 */
export const parseJsonBody = (bytes: Buffer, name?: string): unknown => checkJson(readJson(bytes, name), name)

/** As it is, however deep: for who checks its parts one by one. */
export function readJson(bytes: Buffer, name = 'The body'): unknown {
  if (bytes.length === 0) throw problem('invalid_request', `${name} is empty. Send an event as JSON.`)
  if (!isUtf8(bytes)) throw problem('invalid_request', `${name} is not valid UTF-8.`)
  return parse(withoutByteOrderMark(bytes.toString('utf8')), name)
}

/** The value itself. Throws a `RequestProblem` where it is too deep, or would poison what it is merged into. */
export function checkJson(value: unknown, name = 'The body'): unknown {
  const verdict = inspectJson(value)
  if (verdict === 'too_deep') {
    throw problem('invalid_input_format', `${name} is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  }
  if (verdict === 'poisoned') {
    throw problem('invalid_request', `${name} has a key \`__proto__\` or \`constructor.prototype\`.`)
  }
  return value
}

/** Windows tools like to put one in front. */
const withoutByteOrderMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The message of the SyntaxError quotes the body.
    throw problem('invalid_request', `${name} is not valid JSON.`)
  }
}
