import { NotFoundError } from 'openai'
import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'
import { openDesk } from './open-desk.ts'
import { clientOf, HELLO } from './openai-clients.ts'

const answering = () => fakeDispatcher({ onEvent: async () => SUCCESS })

test.each([
  ['/v1/chat/completions/', 'POST'],
  ['//v1/chat/completions', 'POST'],
  ['/v1//completions/?x=1', 'POST'],
  ['/event/', 'POST'],
  ['/v1/models/', 'GET'],
  ['/health/', 'GET'],
  ['//livez//', 'GET'],
  ['/backends/', 'GET'],
] as const)('%s is the route without the slash', async (url, method) => {
  await using server = createServer({ dispatcher: answering() })
  const payload = { content: 'Hi', messages: HELLO, prompt: 'Hi' }
  const reply = await server.inject({ method, url, ...(method === 'POST' && { payload }) })
  expect(reply.statusCode).toBe(200)
})

test('a slash at the end makes no difference to keys, methods and error shapes', async () => {
  await using server = createServer({ dispatcher: answering(), apiKeys: ['sesame'] })
  expect((await server.inject('/health/')).statusCode).toBe(200)
  expect((await server.inject('//v1/models/')).json()).toMatchObject({ error: { code: 'invalid_api_key' } })
  const headers = { authorization: 'Bearer sesame' }
  const wrongMethod = await server.inject({ url: '/v1/chat/completions/', headers })
  expect(wrongMethod.statusCode).toBe(405)
  expect(wrongMethod.headers.allow).toBe('POST')
  expect(wrongMethod.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
  const nowhere = await server.inject({ url: '//v1/nowhere/', headers })
  expect(nowhere.json()).toMatchObject({ error: { code: 'not_found' } })
})

test.each([
  ['/v1/nowhere', /\/v1\/chat\/completions.+\/v1\/completions.+\/v1\/models/],
  ['/v1', /\/v1\/chat\/completions/],
  ['/v1/responses', /Responses.+openai\.chat\(.+setOpenAIAPI\('chat_completions'\).+Use Responses API/],
  ['/v1/responses/resp_1/cancel', /Responses/],
  ['/v1/embeddings', /Embeddings/],
  ['/v1/v1/chat/completions', /base URL .+\/v1/],
  ['/chat/completions', /base URL .+\/v1/],
  ['/nowhere', /\/event/],
])('404 at %s says what there is', async (url, words) => {
  await using server = createServer({ dispatcher: answering() })
  const reply = await server.inject({ method: 'POST', url, payload: {} })
  expect(reply.statusCode).toBe(404)
  const { error, details } = reply.json()
  expect(error.message ?? details).toMatch(words)
  expect(error.message ?? '').not.toContain('OpenAI clients to /v1')
})

test('a client that asks for responses reads which switch it has', async () => {
  await using desk = await openDesk()
  const error = await clientOf(desk)
    .responses.create({ model: 'any', input: 'Hi' })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(NotFoundError)
  expect((error as Error).message).toContain('chat completions')
})
