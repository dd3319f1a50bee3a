import { FAILURE_CODES, FAILURES, type FailureCode, type StreamEvent } from '@ai-ticket/core'
import { createServer, openAiErrorReply, openAiFailure } from '@ai-ticket/http-server'
import type { FastifyPluginCallback } from 'fastify'
import OpenAI, { APIError } from 'openai'
import { expect } from 'vitest'
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

/** OpenAI's client as it comes, but that it repeats once. */
export const openAiClientOf = ({ url }: { url: string }) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 1 })

/** Before the head, OpenAI's client throws the class of each failure, and repeats nothing in vain. */
export async function expectOpenAiErrors(
  { asked }: { asked: ReadonlyMap<FailureCode, number> },
  ask: (code: FailureCode) => PromiseLike<unknown>,
) {
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => ({ code, error: await errorOf(ask(code)) })),
  )
  for (const { code, error } of seen) {
    const { status, body } = openAiErrorReply(openAiFailure(failureOutcome(code)))
    const { type, code: told, param } = (body as { error: Record<string, unknown> }).error
    expect([code, error]).toMatchObject([code, { status, type, code: told, param }])
    expect([code, error instanceof APIError]).toEqual([code, true])
    expect([code, asked.get(code)]).toEqual([code, timesAsked(code)])
  }
}
