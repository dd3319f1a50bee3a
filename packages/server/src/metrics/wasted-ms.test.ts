import type { AttemptRecord } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { wastedMs, wasteReason } from './metrics.ts'

const attempt = (given: Partial<AttemptRecord>): AttemptRecord => ({
  backend: 'kobold',
  endpoint: 'chat',
  number: 1,
  started_at: '2026-11-22T00:00:00.000Z',
  duration_ms: 700,
  waited_ms: 0,
  result: 'completed',
  ...given,
})

test.each<[string, Partial<AttemptRecord>, number]>([
  ['an answer', {}, 0],
  ['an endpoint that is not there', { result: 'endpoint_missing', status: 404, stopped: 'ended' }, 0],
  ['a refused connection', { result: 'api_connection_error', stopped: 'not_sent' }, 0],
  ['a refusal by status', { result: 'api_rate_limited', status: 429, stopped: 'ended' }, 0],
  ['a stream that broke off', { result: 'api_stream_interrupted', status: 200, stopped: 'ended' }, 700],
  ['a server that fell silent', { result: 'api_timeout', stopped: 'dead' }, 700],
  ['an answer against its schema', { result: 'output_schema_mismatch' }, 700],
  ['a caller who left', { result: 'cancelled' }, 700],
])('%s wastes what it generated', (_what, given, expected) => {
  expect(wastedMs(attempt(given))).toBe(expected)
})

test('waste is told apart by whose fault it is', () => {
  expect(wasteReason(attempt({ result: 'cancelled' }))).toBe('abandoned')
  expect(wasteReason(attempt({ result: 'deadline_exceeded' }))).toBe('abandoned')
  expect(wasteReason(attempt({ result: 'api_timeout' }))).toBe('failed')
})
