import { FAILURE_CODES, type FailureCode } from '@ai-ticket/core'
import { APIError } from 'openai'
import { expect, test } from 'vitest'
import { errorOf, expectOpenAiErrors, openAiClientOf, openFailing, wishFor } from './failing-desk.ts'

const paramsOf = (code: FailureCode) => ({
  model: 'any',
  messages: [{ role: 'user' as const, content: wishFor(code) }],
})

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing()
  await expectOpenAiErrors(desk, (code) => openAiClientOf(desk).chat.completions.create(paramsOf(code)))
})

test.each([false, true])(
  'behind the head, read by the helper: %s: an error, never an answer',
  async (helper) => {
    await using desk = await openFailing()
    const seen = await Promise.all(
      FAILURE_CODES.map(async (code) => {
        const { completions } = openAiClientOf(desk).chat
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
