import type { FailureCode } from '@ai-ticket/core'
import { HTTP_STATUS } from '@ai-ticket/http-server'
import { expect } from 'vitest'
import type { RawAnswer } from './raw-answers.ts'

/** Failures of the server's side that a request can bring about while backend and disk are well. */
const EXPECTED_5XX: ReadonlySet<string> = new Set<FailureCode>([
  'api_client_error',
  // A `timeout_ms` that cannot be met.
  'capacity_exceeded',
  'deadline_exceeded',
  'output_schema_mismatch',
])

const LEAK =
  /\bat \S+ \(|\bat (?:file|node):|node:internal|node_modules|\/packages\/|\.ts:\d|SqliteError|SQLITE_/

/** Whatever was asked: an answer in one of our shapes, with nothing in it of how it was made. */
export function judgeAnswer({ status, headers, body }: RawAnswer, method = 'GET'): void {
  expect(status).toBeGreaterThanOrEqual(200)
  expect(body).not.toMatch(LEAK)
  expect(headers.get('x-request-id')).toMatch(/^[\w.:-]{1,128}$/)
  if (method === 'HEAD' || status === 204) return
  const type = headers.get('content-type') ?? ''
  if (status >= 400) judgeFailure(status, type, body)
  else if (type.startsWith('text/event-stream')) judgeStream(body)
  else if (/^application\/(?:[\w-]+\+)?json\b/.test(type)) expect(typeof JSON.parse(body)).toBe('object')
  else expect(type).toMatch(/^text\/plain/)
}

function judgeFailure(status: number, type: string, body: string): void {
  expect(type).toMatch(/^application\/(?:cloudevents\+)?json; charset=utf-8$/)
  const value: unknown = JSON.parse(body)
  if (isAnthropic(value)) {
    judgeAnthropic(status, value)
    return
  }
  if (isKobold(value)) {
    judgeKobold(status, value.detail)
    return
  }
  // Its token count has a failure of its own.
  if (status === 400 && body === '{"value":-1}') return
  const { error, details } = type.includes('cloudevents')
    ? (value as { data: Failed }).data
    : (value as Failed)
  if (typeof error === 'object') judgeOpenAi(status, error)
  else {
    expect(HTTP_STATUS).toHaveProperty(error, status)
    expect(details).toMatch(/./)
    judge5xx(status, error)
  }
}

interface KoboldFailure {
  readonly detail: { readonly msg: string; readonly type: string }
}

const isKobold = (value: unknown): value is KoboldFailure =>
  typeof value === 'object' && value !== null && 'detail' in value

/** It does not tell our code, but a bug has words of its own. */
function judgeKobold(status: number, { msg, type }: KoboldFailure['detail']): void {
  expect(msg).toMatch(/./)
  expect(msg).not.toMatch(/this is a bug/)
  expect(['bad_input', 'service_unavailable', 'unauthorized', 'server_error']).toContain(type)
  expect(type === 'server_error' || type === 'service_unavailable').toBe(status >= 500)
}

interface Failed {
  readonly error: string | { message: string; type: string; param: string | null; code: string | null }
  readonly details?: string
}

function judgeOpenAi(status: number, error: Exclude<Failed['error'], string>): void {
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
  expect(error.message).not.toBe('')
  judge5xx(status, error.code ?? '')
}

interface AnthropicFailure {
  readonly type: 'error'
  readonly error: { readonly type: string; readonly message: string }
  readonly request_id: string
}

const isAnthropic = (value: unknown): value is AnthropicFailure =>
  typeof value === 'object' && value !== null && 'type' in value && value.type === 'error'

/** Its 500 is a backend's refusal here: failures of the server have a line in its log, which the test looks at. */
const EXPECTED_OF_ANTHROPIC: Readonly<Record<number, string>> = {
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

function judgeAnthropic(status: number, { error, request_id, ...rest }: AnthropicFailure): void {
  expect(rest).toEqual({ type: 'error' })
  expect(Object.keys(error).sort()).toEqual(['message', 'type'])
  expect(error.message).not.toBe('')
  expect(request_id).toMatch(/^[\w.:-]{1,128}$/)
  if (status >= 500) expect(error.type).toBe(EXPECTED_OF_ANTHROPIC[status])
}

function judge5xx(status: number, code: string): void {
  if (status >= 500 && !EXPECTED_5XX.has(code))
    throw new Error(`${status} ${code} is a failure of the server`)
}

/** Frames of one or more lines, each with its JSON; comments between them. */
function judgeStream(text: string): void {
  for (const frame of text.split('\n\n')) {
    for (const line of frame.split('\n')) {
      const [, data] = /^data: (.*)$/.exec(line) ?? []
      if (data !== undefined && data !== '[DONE]') expect(typeof JSON.parse(data)).toBe('object')
      else expect(line).toMatch(/^$|^:|^(?:event|id): |^data: \[DONE\]$/)
    }
  }
}
