import { FAILURE_CODES, FAILURES, type FailureCode, type StreamEvent } from '@ai-ticket/core'
import { createServer, HTTP_STATUS } from '@ai-ticket/http-server'
import { describe, expect, test } from 'vitest'
import { failureOutcome, fakeDispatcher } from '../../server/test/fake-dispatcher.ts'
import { readToBreak } from '../../server/test/open-server.ts'
import { COLUMNS, type FailureColumn } from './failure-columns.ts'

/** Before anything of an answer has come, or behind its first text. */
type When = 'before' | 'after'

/** A desk whose events fail as their text says: `api_timeout after`. */
const dispatcher = fakeDispatcher({
  onEvent: async (event) => failureOutcome(wishOf(event).code),
  async *streamEvent(event): AsyncGenerator<StreamEvent> {
    const { code, when } = wishOf(event)
    // `POST /event` sends its head as soon as an event is admitted.
    if (when === 'after')
      yield* [{ type: 'admitted', id: 'evt_1' } as const, { type: 'delta', text: 'Hel' } as const]
    yield { type: 'error', outcome: failureOutcome(code) }
  },
})

function wishOf(event: unknown): { code: FailureCode; when: When } {
  const [, code, when] = /WISH (\w+) (before|after)/.exec(JSON.stringify(event)) ?? []
  return { code: code as FailureCode, when: when as When }
}

async function openColumn({ door }: FailureColumn) {
  const server = createServer({ dispatcher })
  if (door) server.register(door)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
    },
  }
}

function ask(url: string, column: FailureColumn, wish: { code: FailureCode; when: When; stream: boolean }) {
  const { path, streamPath = path, headers, streamHeaders, body } = column
  const { code, when, stream } = wish
  return fetch(url + (stream ? streamPath : path), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, ...(stream ? streamHeaders : {}) },
    body: JSON.stringify(body(`WISH ${code} ${when}`, stream)),
  })
}

/** What the desk itself knows to be worth a repeat: no slot, no place in the line, a pause. */
const isWorthIt = (code: FailureCode) =>
  FAILURES[code].stage !== 'attempt' && ['when_free', 'when_open'].includes(FAILURES[code].passes)

describe.each(Object.entries(COLUMNS))('%s', (_name, column) => {
  test.each([false, true])('a failure before the head, stream: %s', async (stream) => {
    await using server = await openColumn(column)
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const reply = await ask(server.url, column, { code, when: 'before', stream })
        return { code, status: reply.status, headers: reply.headers, body: await reply.json() }
      }),
    )
    for (const { code, status, headers, body } of seen) {
      expect([code, status]).toEqual([code, column.statuses[code] ?? HTTP_STATUS[code]])
      expect([code, body]).toMatchObject([code, column.failure(code, status)])
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
      const isLater = [429, 503, 529].includes(status)
      if (isLater && column.saysShouldRetry)
        expect([code, headers.get('retry-after')]).not.toEqual([code, null])
      if (column.saysShouldRetry && status >= 500) {
        expect([code, headers.get('x-should-retry')]).toEqual([code, String(isWorthIt(code))])
      }
    }
  })

  test('a failure behind the head: its frame is the last, and the connection breaks or ends', async () => {
    await using server = await openColumn(column)
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const reply = await ask(server.url, column, { code, when: 'after', stream: true })
        return { code, status: reply.status, ...(await readToBreak(reply)) }
      }),
    )
    for (const { code, status, text, isBroken } of seen) {
      expect([code, status, isBroken]).toEqual([code, 200, column.breaksOff])
      expect(text).toContain('Hel')
      expect(text.trimEnd().split('\n\n').at(-1)).toMatch(column.lastFrame(code))
      expect(text).not.toMatch(/\[DONE\]|"finish_reason":"/)
    }
  })
})
