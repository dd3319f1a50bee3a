import { FAILURE_CODES, type FailureCode } from '@ai-ticket/core'
import { openAiErrorReply, openAiFailure } from '@ai-ticket/http-server'
import OpenAI, { APIError } from 'openai'
import { expect, test } from 'vitest'
import { failureOutcome } from '../../server/test/fake-dispatcher.ts'
import { responsesDoor } from '../src/responses/responses-door.ts'
import { errorOf, openFailing, timesAsked, wishFor } from './failing-desk.ts'

const clientOf = ({ url }: { url: string }) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 1 })

const paramsOf = (code: FailureCode) => ({ model: 'any', input: wishFor(code) })

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing(responsesDoor)
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => ({
      code,
      error: await errorOf(clientOf(desk).responses.create(paramsOf(code))),
    })),
  )
  for (const { code, error } of seen) {
    const { status, body } = openAiErrorReply(openAiFailure(failureOutcome(code)))
    const { type, code: told, param } = (body as { error: Record<string, unknown> }).error
    expect([code, error]).toMatchObject([code, { status, type, code: told, param }])
    expect([code, error instanceof APIError]).toEqual([code, true])
    expect([code, desk.asked.get(code)]).toEqual([code, timesAsked(code)])
  }
})

test.each([false, true])(
  'behind the head, read by the helper: %s: failed, never completed',
  async (helper) => {
    await using desk = await openFailing(responsesDoor)
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const stream = helper
          ? clientOf(desk).responses.stream(paramsOf(code))
          : await clientOf(desk).responses.create({ ...paramsOf(code), stream: true })
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
  await using desk = await openFailing(responsesDoor)
  const response = await clientOf(desk).responses.stream(paramsOf('api_server_error')).finalResponse()
  expect(response).toMatchObject({ status: 'failed', error: { code: 'server_error' } })
})
