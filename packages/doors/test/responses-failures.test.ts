import { FAILURE_CODES, type FailureCode } from '@ai-ticket/core'
import type OpenAI from 'openai'
import { expect, test } from 'vitest'
import { responsesDoor } from '../src/responses/responses-door.ts'
import { expectOpenAiErrors, openAiClientOf, openFailing, wishFor } from './failing-desk.ts'

const paramsOf = (code: FailureCode) => ({ model: 'any', input: wishFor(code) })

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing(responsesDoor)
  await expectOpenAiErrors(desk, (code) => openAiClientOf(desk).responses.create(paramsOf(code)))
})

test.each([false, true])(
  'behind the head, read by the helper: %s: failed, never completed',
  async (helper) => {
    await using desk = await openFailing(responsesDoor)
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const stream = helper
          ? openAiClientOf(desk).responses.stream(paramsOf(code))
          : await openAiClientOf(desk).responses.create({ ...paramsOf(code), stream: true })
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
  const response = await openAiClientOf(desk).responses.stream(paramsOf('api_server_error')).finalResponse()
  expect(response).toMatchObject({ status: 'failed', error: { code: 'server_error' } })
})
