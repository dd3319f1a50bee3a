import { FAILURES, type FailureCode, type StreamEvent } from '@ai-ticket/core'
import { createServer } from '@ai-ticket/http-server'
import type { FastifyPluginCallback } from 'fastify'
import { failureOutcome, fakeDispatcher } from '../../server/test/fake-dispatcher.ts'

/** What a request has in its text, so that it fails. */
export const wishFor = (code: FailureCode): string => `WISH ${code}`

const codeOf = (event: unknown) => /WISH (\w+)/.exec(JSON.stringify(event))?.[1] as FailureCode

/** A desk whose events fail as their text says, streams behind their first text. */
const dispatcher = fakeDispatcher({
  onEvent: async (event) => failureOutcome(codeOf(event)),
  async *streamEvent(event): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    yield { type: 'delta', text: 'Half an' }
    yield { type: 'error', outcome: failureOutcome(codeOf(event), { partial: 'Half an' }) }
  },
})

/** A server before that desk, which counts how often it is asked for each failure. Default door: OpenAI's chat. */
export async function openFailing(door?: FastifyPluginCallback) {
  const server = createServer({ dispatcher })
  if (door) server.register(door)
  const asked = new Map<FailureCode, number>()
  server.addHook('preHandler', async ({ body }) => {
    const code = codeOf(body)
    asked.set(code, (asked.get(code) ?? 0) + 1)
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
    },
  }
}

export const errorOf = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => 'no error',
    (error: unknown) => error,
  )

/** How often a client asks that may repeat once: what comes by waiting, and a 409, which no answer ends in, but by itself. */
export const timesAsked = (code: FailureCode): number => {
  const { stage, passes } = FAILURES[code]
  const comesByWaiting = stage !== 'attempt' && ['when_free', 'when_open'].includes(passes)
  return comesByWaiting || code === 'conflict' ? 2 : 1
}
