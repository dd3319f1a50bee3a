import { expect, test } from 'vitest'
import { addToolCall, type CollectedCall } from './completion-wire.ts'
import { readChatChunk, readChatReply, toEnd } from './read-completion.ts'

const usage = { prompt_tokens: 700, completion_tokens: 9, total_tokens: 709 }
const replyWith = (more: object) => ({
  choices: [{ message: { role: 'assistant', content: 'Fine.' }, finish_reason: 'stop' }],
  usage,
  ...more,
})

test.for<[string, object, number | undefined]>([
  ['as OpenAI says it', { usage: { ...usage, prompt_tokens_details: { cached_tokens: 640 } } }, 640],
  ['as llama.cpp says it', { timings: { cache_n: 512, prompt_n: 188, prompt_ms: 40 } }, 512],
  ['not said', {}, undefined],
  ['null', { usage: { ...usage, prompt_tokens_details: null }, timings: null }, undefined],
  ['of a wrong type', { usage: { ...usage, prompt_tokens_details: { cached_tokens: 'many' } } }, undefined],
])('tokens that were not read, %s', ([, more, expected]) => {
  const answer = readChatReply(replyWith(more))
  expect(answer && toEnd(answer, 'stop').cached_prompt_tokens).toBe(expected)
  expect(answer?.usage).toEqual({ prompt_tokens: 700, completion_tokens: 9 })
})

test('a stream says it in its last event', () => {
  const last = { choices: [], usage: { ...usage, prompt_tokens_details: { cached_tokens: 640 } } }
  expect(readChatChunk(last)?.cachedTokens).toBe(640)
})

test('a call in very many pieces costs no more for each of them', () => {
  const calls: CollectedCall[] = []
  addToolCall(calls, { index: 0, id: 'a', function: { name: 'look', arguments: '{"a":"' } })
  for (let piece = 0; piece < 100_000; piece++)
    addToolCall(calls, { index: 0, id: undefined, function: { name: undefined, arguments: 'word ' } })
  expect(calls).toHaveLength(1)
  expect(calls[0]?.function?.arguments).toHaveLength(500_006)
})
