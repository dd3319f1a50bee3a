import { isUtf8 } from 'node:buffer'
import { type FailureCode, JSON_LIMITS, jsonExcess, parseJson } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { findJsonFault } from './json-fault.ts'
import { RequestProblem } from './request-problem.ts'

const BODY = 'The body'

const problem = (code: FailureCode, details: string) => new RequestProblem({ code, details })

/**
 * Bytes of a request, or of a line of a file, to a JSON value: no deeper than 64 levels, with at most 10,000 keys and
 * 100,000 values (`JSON_LIMITS`), no keys that change prototypes. Throws a `RequestProblem` about `name`; its details
 * never quote the content.
 */
export const parseJsonBody = (bytes: Buffer, name?: string): unknown => checkJson(readJson(bytes, name), name)

/** The value unchecked, however deep: for a caller that checks its parts one by one. */
export function readJson(bytes: Buffer, name = BODY): unknown {
  if (bytes.length === 0) throw problem('invalid_request', `${name} is empty. Send an event as JSON.`)
  if (!isUtf8(bytes)) throw problem('invalid_request', `${name} is not valid UTF-8.`)
  const text = withoutByteOrderMark(bytes.toString('utf8'))
  const excess = jsonExcess(text)
  if (excess !== undefined) throw problem('payload_too_large', `${name} ${excess}. Send it in several parts.`)
  return parse(text, name)
}

/** The value itself. Throws a `RequestProblem` where it is too deep, or would poison what it is merged into. */
export function checkJson(value: unknown, name = BODY): unknown {
  const verdict = inspectJson(value)
  if (verdict === 'too_deep') {
    throw problem('invalid_input_format', `${name} is nested deeper than ${JSON_LIMITS.depth} levels.`)
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
    return parseJson(text)
  } catch {
    // The message of the SyntaxError quotes the body.
    throw problem('invalid_request', `${name} is not valid JSON${faultIn(text, name)}.`)
  }
}

function faultIn(text: string, name: string): string {
  const fault = findJsonFault(text)
  if (fault === undefined) return ''
  const { line, column, kind } = fault
  // The line of a file has no lines of its own.
  const place = name === BODY || line > 1 ? `line ${line}, column ${column}` : `column ${column}`
  return `: ${place} has ${kind}`
}

type JsonVerdict = 'fine' | 'too_deep' | 'poisoned'

/**
 * Looks once through a value of `JSON.parse`. `poisoned`: a key (`__proto__`, or `constructor` with `prototype`) that
 * would change the prototype of whatever it is merged into.
 */
function inspectJson(value: unknown, depth = 0): JsonVerdict {
  if (typeof value !== 'object' || value === null) return 'fine'
  if (depth >= JSON_LIMITS.depth) return 'too_deep'
  return Array.isArray(value) ? inspectList(value, depth) : inspectRecord(value, depth)
}

function inspectList(list: readonly unknown[], depth: number): JsonVerdict {
  for (const item of list) {
    const verdict = inspectJson(item, depth + 1)
    if (verdict !== 'fine') return verdict
  }
  return 'fine'
}

function inspectRecord(record: object, depth: number): JsonVerdict {
  for (const key in record) {
    const item: unknown = (record as Record<string, unknown>)[key]
    if (poisons(key, item)) return 'poisoned'
    const verdict = inspectJson(item, depth + 1)
    if (verdict !== 'fine') return verdict
  }
  return 'fine'
}

const poisons = (key: string, value: unknown): boolean =>
  key === '__proto__' ||
  (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))

const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;|$)/i

export const isJsonType = (contentType: string): boolean => JSON_TYPE.test(contentType)

/**
 * Bodies are JSON (`application/json` or `application/…+json`) or are refused with `unsupported_media_type`. A browser
 * asks permission before it sends that type to a foreign site, so a page elsewhere cannot post events. Many clients name
 * the type with everything: an empty body is none, and a route that needs one says so.
 */
export function acceptOnlyJson(instance: FastifyInstance): void {
  instance.removeAllContentTypeParsers()
  instance.addContentTypeParser<Buffer>(JSON_TYPE, { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      refuseEncodedBody(request.headers['content-encoding'])
      done(null, bytes.length === 0 ? undefined : parseJsonBody(bytes))
    } catch (error) {
      done(error as Error)
    }
  })
}

export function refuseEncodedBody(encoding: string | undefined): void {
  if (encoding === undefined || encoding === 'identity') return
  throw new RequestProblem({
    code: 'unsupported_media_type',
    details: 'Compressed bodies are not supported. Send it without Content-Encoding.',
  })
}
