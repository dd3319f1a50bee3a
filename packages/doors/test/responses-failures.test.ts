import { FAILURE_CODES, FAILURES, type FailureCode, type StreamEvent } from '@ai-ticket/core'
import { createServer, openAiErrorReply, openAiFailure } from '@ai-ticket/http-server'
import OpenAI, { APIError } from 'openai'
import { expect, test } from 'vitest'
import { failureOutcome, fakeDispatcher } from '../../server/test/fake-dispatcher.ts'
import { responsesDoor } from '../src/responses/responses-door.ts'

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

async function openFailing() {
  const server = createServer({ dispatcher })
  server.register(responsesDoor)
  const asked = new Map<FailureCode, number>()
  server.addHook('preHandler', async ({ body }) => {
    const code = codeOf(body)
    asked.set(code, (asked.get(code) ?? 0) + 1)
  })
  const origin = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    asked,
    client: new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', maxRetries: 1 }),
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
    },
  }
}

const paramsOf = (code: FailureCode) => ({ model: 'any', input: `WISH ${code}` })

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
      error: await errorOf(desk.client.responses.create(paramsOf(code))),
    })),
  )
  for (const { code, error } of seen) {
    const { status, body } = openAiErrorReply(openAiFailure(failureOutcome(code)))
    const { type, code: told, param } = (body as { error: Record<string, unknown> }).error
    expect([code, error]).toMatchObject([code, { status, type, code: told, param }])
    expect([code, error instanceof APIError]).toEqual([code, true])
    // It repeats a 409 by itself; no response ends in one.
    const isRepeated = comesByWaiting(code) || code === 'conflict'
    expect([code, desk.asked.get(code)]).toEqual([code, isRepeated ? 2 : 1])
  }
})

test.each([false, true])(
  'behind the head, read by the helper: %s: failed, never completed',
  async (helper) => {
    await using desk = await openFailing()
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const stream = helper
          ? desk.client.responses.stream(paramsOf(code))
          : await desk.client.responses.create({ ...paramsOf(code), stream: true })
        let text = ''
        let last: OpenAI.Responses.ResponseStreamEvent | undefined
        for await (const event of stream) {
          if (event.type === 'response.output_text.delta') text += event.delta
          last = event
        }
        return { code, text, last }
      }),
    )
    for (const { code, text, last } of seen) {
      expect([code, text, last]).toMatchObject([
        code,
        'Half an',
        {
          type: 'response.failed',
          response: {
            status: code === 'cancelled' ? code : 'failed',
            error: { code: expect.stringMatching(/^\w+$/), message: `Details of ${code}.` },
            output: [{ type: 'message', status: 'incomplete', content: [{ text: 'Half an' }] }],
          },
        },
      ])
      expect([code, desk.asked.get(code)]).toEqual([code, 1])
    }
  },
)

test('behind the head, the helper resolves: the status of what it gives has to be looked at', async () => {
  await using desk = await openFailing()
  const response = await desk.client.responses.stream(paramsOf('api_server_error')).finalResponse()
  expect(response).toMatchObject({ status: 'failed', error: { code: 'server_error' } })
})
