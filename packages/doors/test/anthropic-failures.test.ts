import { FAILURE_CODES, type FailureCode } from '@ai-ticket/core'
import Anthropic, { APIError } from '@anthropic-ai/sdk'
import { expect, test } from 'vitest'
import { anthropicDoor } from '../src/anthropic/anthropic-door.ts'
import { errorReply } from '../src/anthropic/error-reply.ts'
import { errorOf, openFailing, timesAsked, wishFor } from './failing-desk.ts'

const clientOf = ({ url }: { url: string }) => new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 1 })

const paramsOf = (code: FailureCode): Anthropic.MessageCreateParamsNonStreaming => ({
  model: 'any',
  max_tokens: 10,
  messages: [{ role: 'user', content: wishFor(code) }],
})

test('the official client on every code, before the head: its class of error, and no repeat that is in vain', async () => {
  await using desk = await openFailing(anthropicDoor)
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => ({
      code,
      error: await errorOf(clientOf(desk).messages.create(paramsOf(code))),
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
    expect([code, desk.asked.get(code)]).toEqual([code, timesAsked(code)])
  }
})

test('behind the head: an error of the stream, never a message', async () => {
  await using desk = await openFailing(anthropicDoor)
  const seen = await Promise.all(
    FAILURE_CODES.map(async (code) => {
      let text = ''
      const stream = clientOf(desk)
        .messages.stream(paramsOf(code))
        .on('text', (piece) => {
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
