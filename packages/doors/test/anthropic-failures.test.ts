import { FAILURE_CODES, FAILURES, type FailureCode, type StreamEvent } from '@ai-ticket/core'
import { createServer } from '@ai-ticket/http-server'
import Anthropic, { APIError } from '@anthropic-ai/sdk'
import { expect, test } from 'vitest'
import { failureOutcome, fakeDispatcher } from '../../server/test/fake-dispatcher.ts'
import { anthropicDoor } from '../src/anthropic/anthropic-door.ts'
import { errorReply } from '../src/anthropic/error-reply.ts'

const codeOf = (event: unknown) => /WISH (\w+)/.exec(JSON.stringify(event))?.[1] as FailureCode

/** A desk whose events fail as their text says, streams behind their first text. */
const dispatcher = fakeDispatcher({
  onEvent: async (event) => failureOutcome(codeOf(event)),
  async *streamEvent(event): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    yield { type: 'delta', text: 'Half an' }
    yield { type: 'error', outcome: failureOutcome(codeOf(event)) }
  },
})

async function openFailing() {
  const server = createServer({ dispatcher })
  server.register(anthropicDoor)
  const asked = new Map<FailureCode, number>()
  server.addHook('preHandler', async ({ body }) => {
    const code = codeOf(body)
    asked.set(code, (asked.get(code) ?? 0) + 1)
  })
  const baseURL = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    asked,
    client: new Anthropic({ baseURL, apiKey: 'none', maxRetries: 1 }),
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
    },
  }
}

const paramsOf = (code: FailureCode): Anthropic.MessageCreateParamsNonStreaming => ({
  model: 'any',
  max_tokens: 10,
  messages: [{ role: 'user', content: `WISH ${code}` }],
})

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

/** A place in the line, a pause, an open desk: what comes by waiting. */
const comesByWaiting = (code: FailureCode) =>
  FAILURES[code].stage !== 'attempt' && ['when_free', 'when_open'].includes(FAILURES[code].passes)

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing()
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => ({
      code,
      error: await errorOf(desk.client.messages.create(paramsOf(code))),
    })),
  )
  for (const { code, error } of seen) {
    // Without an attempt it is the desk that refuses.
    const { status } = code === 'api_client_error' ? { status: 400 } : errorReply({ code, details: '' }, '')
    expect([code, error]).toMatchObject([
      code,
      { status, type: expect.stringMatching(/_error$|^request_too_large$/), requestID: expect.any(String) },
    ])
    expect([code, error instanceof APIError]).toEqual([code, true])
    // It repeats a 409 by itself; no message ends in one.
    const isRepeated = comesByWaiting(code) || code === 'conflict'
    expect([code, desk.asked.get(code)]).toEqual([code, isRepeated ? 2 : 1])
  }
})

test('behind the head: an error of the stream, never a message', async () => {
  await using desk = await openFailing()
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => {
      let text = ''
      const stream = desk.client.messages.stream(paramsOf(code)).on('text', (piece) => {
        text += piece
      })
      return { code, error: await errorOf(stream.finalMessage()), text }
    }),
  )
  for (const { code, error, text } of seen) {
    expect([code, text]).toEqual([code, 'Half an'])
    expect([code, error instanceof Anthropic.AnthropicError]).toEqual([code, true])
    expect([code, String(error)]).toEqual([code, expect.stringMatching(/_error|request_too_large/)])
    expect([code, desk.asked.get(code)]).toEqual([code, 1])
  }
})
