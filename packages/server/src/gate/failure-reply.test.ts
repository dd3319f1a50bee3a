import { expect, test } from 'vitest'
import { failureReply } from './error-handler.ts'

const FAILURE = { code: 'not_found', details: 'Nothing here.' } as const

test.each(['/v1', '/v1/nowhere', '/v1/chat/completions?x=1', '/v1?x=/event'])('%s speaks OpenAI', (url) => {
  expect(failureReply(url, FAILURE).body).toHaveProperty('error.message', 'Nothing here.')
})

test.each(['/event', '/v11', '/', '', '/event?to=/v1/', '/x/v1/models'])('%s speaks as everywhere', (url) => {
  expect(failureReply(url, FAILURE).body).toEqual({ error: 'not_found', details: 'Nothing here.' })
})
