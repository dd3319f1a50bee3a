import { isUtf8 } from 'node:buffer'
import type { FailureCode } from '@ai-ticket/core'
import { inspectJson, MAX_JSON_DEPTH } from './inspect-json.ts'
import { RequestProblem } from './request-problem.ts'

const problem = (code: FailureCode, details: string) => new RequestProblem({ code, details })

/** Bytes of a request to a JSON value. Throws a `RequestProblem`; its details never quote the body. */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) throw problem('invalid_request', 'The body is empty. Send an event as JSON.')
  if (!isUtf8(bytes)) throw problem('invalid_request', 'The body is not valid UTF-8.')
  const value = parse(withoutByteOrderMark(bytes.toString('utf8')))
  const verdict = inspectJson(value)
  if (verdict === 'too_deep') {
    throw problem('invalid_input_format', `The body is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  }
  if (verdict === 'poisoned') {
    throw problem('invalid_request', 'The body has a key `__proto__` or `constructor.prototype`.')
  }
  return value
}

/** Windows tools like to put one in front. */
const withoutByteOrderMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The message of the SyntaxError quotes the body.
    throw problem('invalid_request', 'The body is not valid JSON.')
  }
}
