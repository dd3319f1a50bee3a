import { expect, test } from 'vitest'
import type { FailureDialect } from '../http/reply.ts'
import { OPENAI_DIALECT } from '../openai/error-reply.ts'
import { failureReply } from './error-handler.ts'

const FAILURE = { code: 'not_found', details: 'Nothing here.' } as const

/** A plugin's, which goes before those that the server has. */
const DOOR: FailureDialect = {
  name: 'DoorError',
  covers: (path) => path === '/v1/door' || path.startsWith('/door/'),
  reply: ({ code }, requestId) => ({ status: 418, headers: {}, body: { code, requestId } }),
}

const replyAt = (url: string, dialects: readonly FailureDialect[] | undefined) =>
  failureReply(
    {
      id: 'req_1',
      raw: { url },
      server: { hasDecorator: () => dialects !== undefined, dialects: dialects ?? [] },
    },
    FAILURE,
  )

test.each(['/v1', '/v1/nowhere', '/v1/chat/completions?x=1', '/v1?x=/event'])('%s speaks OpenAI', (url) => {
  for (const dialects of [undefined, [OPENAI_DIALECT], [DOOR, OPENAI_DIALECT]]) {
    expect(replyAt(url, dialects).body).toHaveProperty('error.message', 'Nothing here.')
  }
})

test.each(['/event', '/v11', '/', '', '/event?to=/v1/', '/x/v1/models'])('%s speaks as everywhere', (url) => {
  expect(replyAt(url, [DOOR, OPENAI_DIALECT]).body).toEqual({ error: 'not_found', details: 'Nothing here.' })
})

test.each(['/v1/door', '/v1/door?x', '//v1//door/', '/door/x'])('%s speaks as the door does', (url) => {
  const reply = replyAt(url, [DOOR, OPENAI_DIALECT])
  expect(reply).toEqual({ status: 418, headers: {}, body: { code: 'not_found', requestId: 'req_1' } })
})
