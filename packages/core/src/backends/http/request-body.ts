import { BackendError, type Endpoint, type GenerationRequest } from '../../contract/backend.ts'
import type { Role, Turn } from '../../contract/prompt.ts'
import { at, type ErrorPlace } from './errors.ts'

export type RequestBody = Record<string, unknown>

/**
 * JSON that servers can read: a half surrogate, which JavaScript strings may hold, is replaced, because it would crash
 * the handler of KoboldCPP. Throws a `BackendError` (`unsendable`) where the body has no JSON.
 */
export function writeBody(place: ErrorPlace, body: RequestBody): string {
  try {
    return writeJson(body)
  } catch (cause) {
    // For instance a BigInt, or a `toJSON` of the caller that throws.
    const message = `${at(place)} was not asked: a value of the event cannot be written as JSON.`
    throw new BackendError('unsendable', message, { cause })
  }
}

function writeJson(body: RequestBody): string {
  const text = JSON.stringify(body)
  if (!/\\ud[89a-f]/i.test(text)) return text
  return JSON.stringify(body, (_, value) => (typeof value === 'string' ? value.toWellFormed() : value))
}

/** A turn as `/v1/chat/completions` takes it. */
export const toMessage = ({ role, content, name, tool_call_id, tool_calls }: Turn): RequestBody => ({
  role,
  content,
  ...defined({ name, tool_call_id, tool_calls }),
})

/** Unset options are left out: null makes KoboldCPP 1.76 fail with a 200. */
export function defined(fields: RequestBody): RequestBody {
  const kept: RequestBody = {}
  // A plain loop: through entries and back this was a tenth of what a call costs us.
  for (const name in fields) {
    const value = fields[name]
    if (value !== undefined && value !== null) kept[name] = value
  }
  return kept
}

const ROLES: ReadonlySet<Role> = new Set(['system', 'user', 'assistant', 'tool'])

/** What KoboldCPP takes at most; a larger body is refused unread, often as a broken connection. Nobody is sent more. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * The fault in a request, found before it is sent. A message without role or content, or a prompt of the wrong
 * type, crashes KoboldCPP's handler or makes a stream hang forever, which looks like a dead server.
 */
export function checkRequest(backend: string, endpoint: Endpoint, request: GenerationRequest): void {
  const problem = findProblem(endpoint, request)
  if (problem) throw invalid({ backend, endpoint: endpoint.name }, problem)
}

export function checkBodySize(place: ErrorPlace, body: string): void {
  if (body.length * 3 <= MAX_BODY_BYTES || Buffer.byteLength(body) <= MAX_BODY_BYTES) return
  throw invalid(
    place,
    'the request is larger than 32 MB, the limit of KoboldCPP and of the desk; send less text or smaller images',
  )
}

function findProblem(endpoint: Endpoint, { turns, parameters }: GenerationRequest): string | undefined {
  if (turns.length === 0) return 'there are no turns'
  if (parameters.tools?.length && !endpoint.tools) return 'this endpoint takes no tools'
  const { stop } = parameters
  if (stop !== undefined && !(Array.isArray(stop) && stop.every((one) => typeof one === 'string'))) {
    return 'stop is not a list of strings'
  }
  for (const [index, turn] of turns.entries()) {
    const problem = findTurnProblem(endpoint, turn)
    if (problem) return `turn ${index} ${problem}`
  }
  return undefined
}

function findTurnProblem(endpoint: Endpoint, { role, content, tool_calls }: Turn): string | undefined {
  if (!ROLES.has(role)) return 'has an unknown role'
  if (typeof content === 'string') return undefined
  if (content === null) return tool_calls?.length ? undefined : 'has no content'
  if (!Array.isArray(content)) return 'has content that is neither text nor a list of parts'
  for (const part of content) {
    if (part?.type === 'image_url' && typeof part.image_url?.url === 'string') {
      if (!endpoint.images) return 'holds an image, which this endpoint does not take'
    } else if (part?.type !== 'text' || typeof part.text !== 'string') return 'has a part that is not known'
  }
  return undefined
}

const invalid = (place: ErrorPlace, problem: string): BackendError =>
  new BackendError('invalid_request', `${at(place)} was not asked: ${problem}.`)
