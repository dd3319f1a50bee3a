import assert from 'node:assert/strict'
import type { Endpoint } from '@ai-ticket/core'
import type { Bench } from './conformance-subject.ts'

/** A duty and how to check it. */
export interface Duty {
  readonly name: string
  check(bench: Bench): Promise<void>
}

/** Repeats a check for each endpoint. */
export const atEach =
  (check: (bench: Bench, endpoint: Endpoint) => Promise<void>) =>
  async (bench: Bench): Promise<void> => {
    for (const endpoint of bench.backend.endpoints) await check(bench, endpoint)
  }

export const first = ({ backend }: Bench): Endpoint => {
  const [endpoint] = backend.endpoints
  assert.ok(endpoint, 'a backend has at least one endpoint')
  return endpoint
}
