import { expect, test } from 'vitest'
import { readReply } from './read-reply.ts'

const stream = { status: 200, headers: { 'content-type': 'text/event-stream' }, isCut: false }
const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`

test('a whole answer, and one in pieces', () => {
  const text = JSON.stringify({ choices: [{ message: { content: 'Yes.' } }] })
  const whole = { status: 200, headers: { 'content-type': 'application/json' }, isCut: false, text }
  expect(readReply(whole)).toEqual({ as: 'answer', text: 'Yes.' })
  const pieces = `${delta('Ye')}: ping\n\n${delta('s.')}data: [DONE]\n\n`
  expect(readReply({ ...stream, text: pieces })).toEqual({ as: 'answer', text: 'Yes.' })
})

test('the same in Anthropic’s words', () => {
  const text = JSON.stringify({ type: 'message', content: [{ type: 'text', text: 'Yes.' }] })
  const whole = { status: 200, headers: { 'content-type': 'application/json' }, isCut: false, text }
  expect(readReply(whole)).toEqual({ as: 'answer', text: 'Yes.' })
  const frame = (data: object) => `event: x\ndata: ${JSON.stringify(data)}\n\n`
  const piece = (words: string) => frame({ delta: { type: 'text_delta', text: words } })
  const ping = frame({ type: 'ping' })
  const pieces = piece('Ye') + ping + piece('s.') + frame({ delta: { stop_reason: 'end_turn' } })
  expect(readReply({ ...stream, text: pieces })).toEqual({ as: 'answer', text: 'Yes.' })
  const failed = piece('Ye') + frame({ type: 'error', error: { type: 'api_error', message: 'gone' } })
  expect(readReply({ ...stream, text: failed })).toMatchObject({ as: 'error' })
})

test('the same in the words of Responses', () => {
  const message = { type: 'message', content: [{ type: 'output_text', text: 'Yes.' }] }
  const thoughts = { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] }
  const response = { object: 'response', status: 'completed', error: null, output: [thoughts, message] }
  const whole = { status: 200, headers: { 'content-type': 'application/json' }, isCut: false }
  expect(readReply({ ...whole, text: JSON.stringify(response) })).toEqual({ as: 'answer', text: 'Yes.' })
  const frame = (type: string, data: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
  const piece = (delta: string) => frame('response.output_text.delta', { delta })
  const thought = frame('response.reasoning_text.delta', { delta: 'Hm.' })
  const pieces = frame('response.created', { response: { ...response, output: [] } }) + thought + piece('Ye')
  const done =
    frame('response.output_item.done', { item: message }) + frame('response.completed', { response })
  expect(readReply({ ...stream, text: pieces + piece('s.') + done })).toEqual({ as: 'answer', text: 'Yes.' })
  const failed = frame('response.failed', {
    response: { ...response, status: 'failed', error: { code: 'x' } },
  })
  expect(readReply({ ...stream, text: pieces + failed })).toMatchObject({ as: 'error' })
})

test('the same in the words of KoboldCPP, where only a cut says that it failed', () => {
  const text = JSON.stringify({ results: [{ text: 'Yes.', finish_reason: 'stop' }] })
  const whole = { status: 200, headers: { 'content-type': 'application/json' }, isCut: false, text }
  expect(readReply(whole)).toEqual({ as: 'answer', text: 'Yes.' })
  const frame = (token: string, reason: string | null = null) =>
    `event: message\ndata: ${JSON.stringify({ token, finish_reason: reason })}\n\n`
  const pieces = `${frame('Ye')}: ping\n\n${frame('s.')}`
  expect(readReply({ ...stream, text: pieces + frame('', 'stop') })).toEqual({ as: 'answer', text: 'Yes.' })
  expect(readReply({ ...stream, text: `${pieces}: api_timeout\n\n`, isCut: true })).toEqual({ as: 'cut' })
})

test('a status, an error in the stream and a cut connection are no answers', () => {
  expect(readReply({ ...stream, status: 503, text: '' })).toEqual({ as: 'error', what: 'status 503' })
  const failed = `${delta('Ye')}data: {"error":{"message":"gone"}}\n\n`
  expect(readReply({ ...stream, text: failed })).toMatchObject({ as: 'error' })
  expect(readReply({ ...stream, text: delta('Ye'), isCut: true })).toEqual({ as: 'cut' })
})

test('a stream that just stops looks like an answer to those who read it', () => {
  expect(readReply({ ...stream, text: delta('Ye') })).toEqual({ as: 'answer', text: 'Ye' })
})
