import { type KoboldSimulatorOptions, type SimulatedPrompt, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { clientOf } from './kobold-client.ts'

const atOnce = { tokensPerSecond: Number.POSITIVE_INFINITY }
const response_format = { type: 'json_schema', json_schema: { name: 'label', schema: { type: 'object' } } }

async function chatOnce(options: KoboldSimulatorOptions, body: object) {
  await using simulator = await startKoboldSimulator({ ...atOnce, ...options })
  return JSON.parse((await clientOf(simulator).chat(body)).text).choices[0]
}

test('fact 37: a schema is obeyed by chat in 1.115.1 only', async () => {
  const answerJson = { label: 'bug' }
  expect((await chatOnce({ answerJson }, { response_format })).message.content).toBe('{"label":"bug"}')
  const plain = await chatOnce({ answerJson, version: '1.76' }, { response_format })
  expect(plain.message.content).toContain('simulator')
  const ignored = await chatOnce({ answerJson, ignoreSchema: true }, { response_format })
  expect(ignored.message.content).toContain('simulator')
  const cut = await chatOnce({ answerJson }, { response_format, max_tokens: 2 })
  expect([cut.message.content, cut.finish_reason]).toEqual(['{"label"', 'length'])
})

test('fact 32: a prompt that does not fit loses its beginning without a word', async () => {
  const prompts: SimulatedPrompt[] = []
  const answer = (prompt: SimulatedPrompt) => {
    prompts.push(prompt)
    return 'ok'
  }
  await using simulator = await startKoboldSimulator({ ...atOnce, contextLength: 64, answer })
  const prompt = `START ${'x'.repeat(400)} END`
  const { status } = await clientOf(simulator).generate({ prompt, max_length: 10 })
  expect(status).toBe(200)
  expect(prompts[0]).toMatchObject({ cut: true })
  expect(prompts[0]?.text).not.toContain('START')
  expect(prompts[0]?.text.endsWith('END')).toBe(true)
})

test('a gateway that counts says so with a 400', async () => {
  await using simulator = await startKoboldSimulator({
    ...atOnce,
    contextLength: 64,
    cutPromptSilently: false,
  })
  const { status, text } = await clientOf(simulator).generate({ prompt: 'x'.repeat(1000), max_length: 10 })
  expect([status, JSON.parse(text).error.code]).toEqual([400, 'context_length_exceeded'])
})

test.for([
  ['1.76', {}, 'one two'],
  ['1.76', { trim_stop: true }, 'one '],
  ['1.115.1', {}, 'one '],
  ['1.115.1', { trim_stop: false }, 'one two'],
] as const)('fact 35: [%s] %o decides whether the stop string stays', async ([version, trim, expected]) => {
  await using simulator = await startKoboldSimulator({ ...atOnce, version, answer: () => 'one two three' })
  const { text } = await clientOf(simulator).generate({ stop_sequence: ['two'], ...trim })
  expect(JSON.parse(text).results[0]).toMatchObject({ text: expected, finish_reason: 'length' })
})

test('the tokens of a stop string count, though it is cut off', async () => {
  await using simulator = await startKoboldSimulator({ ...atOnce, answer: () => 'one two three' })
  const { text } = await clientOf(simulator).generate({ stop_sequence: ['one'] })
  expect(JSON.parse(text).results[0]).toMatchObject({ text: '', completion_tokens: 1 })
})

test('tool calls end a chat with tool_calls and no content', async () => {
  const toolCalls = [{ id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } }]
  const choice = await chatOnce({ answer: () => ({ text: '', toolCalls }) }, {})
  expect(choice).toMatchObject({
    message: { content: null, tool_calls: toolCalls },
    finish_reason: 'tool_calls',
  })
})

test('the default answer is honest and counts the words', async () => {
  const choice = await chatOnce({}, {})
  expect(choice.message.content).toContain('not a language model')
  expect(choice.message.content).toContain('4 words')
})
