import { createOpenAIBackend } from '@ai-ticket/core'
import { type OpenAISimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

async function open() {
  const simulator = await startOpenAISimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    answer: () => '{"a":1}',
  })
  return deskOn(simulator, createOpenAIBackend({ url: simulator.url }))
}

const pathsOf = ({ calls }: OpenAISimulator) => calls.map(({ path }) => path)
const event = { content: { prompt: 'Once upon a time' } }

test('a text to go on with goes in as it stands', async () => {
  await using desk = await open()
  expect(await desk.dispatcher.onEvent(event, { continues: true })).toMatchObject({ endpoint: 'text' })
  expect(desk.simulator.calls[0]?.body).toMatchObject({ prompt: 'Once upon a time' })
})

test('without an endpoint for texts it is a user turn', async () => {
  await using desk = await open()
  desk.simulator.script([{ status: 404 }], '/v1/completions')
  expect(await desk.dispatcher.onEvent(event, { continues: true })).toMatchObject({ endpoint: 'chat' })
  expect(pathsOf(desk.simulator)).toEqual(['/v1/completions', '/v1/chat/completions'])
})

test('a schema goes before it: the chat obeys one', async () => {
  await using desk = await open()
  const asked = { ...event, schema: { type: 'object' } }
  expect(await desk.dispatcher.onEvent(asked, { continues: true })).toMatchObject({ endpoint: 'chat' })
})

test('json_object goes before it, too', async () => {
  await using desk = await open()
  const asked = { ...event, parameters: { response_format: { type: 'json_object' } } }
  expect(await desk.dispatcher.onEvent(asked, { continues: true })).toMatchObject({ endpoint: 'chat' })
  expect(pathsOf(desk.simulator)).toEqual(['/v1/chat/completions'])
})

test('any other event is asked as a chat', async () => {
  await using desk = await open()
  expect(await desk.dispatcher.onEvent(event)).toMatchObject({ endpoint: 'chat' })
})
