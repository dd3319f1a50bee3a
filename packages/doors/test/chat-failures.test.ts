import { FAILURE_CODES, type FailureCode } from '@ai-ticket/core'
import { openAiErrorReply, openAiFailure } from '@ai-ticket/http-server'
import OpenAI, { APIError } from 'openai'
import { expect, test } from 'vitest'
import { failureOutcome } from '../../server/test/fake-dispatcher.ts'
import { errorOf, openFailing, timesAsked, wishFor } from './failing-desk.ts'

const clientOf = ({ url }: { url: string }) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 1 })

const paramsOf = (code: FailureCode) => ({
  model: 'any',
  messages: [{ role: 'user' as const, content: wishFor(code) }],
})

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing()
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => ({
      code,
      error: await errorOf(clientOf(desk).chat.completions.create(paramsOf(code))),
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
  'behind the head, read by the helper: %s: an error, never an answer',
  async (helper) => {
    await using desk = await openFailing()
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const { completions } = clientOf(desk).chat
        let text = ''
        const read = async () => {
          const stream = helper
            ? completions.stream(paramsOf(code))
            : await completions.create({ ...paramsOf(code), stream: true })
          for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
        }
        return { code, error: await errorOf(read()), text }
      }),
    )
    for (const { code, error, text } of seen) {
      expect([code, text]).toEqual([code, 'Half an'])
      expect([code, error instanceof APIError]).toEqual([code, true])
      expect([code, desk.asked.get(code)]).toEqual([code, 1])
    }
  },
)
