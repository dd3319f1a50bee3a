import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createDispatcher, createOpenAIBackend } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { openServer } from './open-server.ts'

// Numbers with more digits than JavaScript holds, over sockets: the bytes are what counts.

const CHANNEL = '1187654321098765433'
const DECIMAL = '0.12345678901234567890'
const HUGE = '1e400'

/** A desk over a backend that gives this message, and the bodies that it was sent. */
async function openDesk(message: string) {
  const bodies: string[] = []
  const answer = async (request: IncomingMessage) => {
    if (request.method === 'GET') return '{"data":[{"id":"m"}]}'
    bodies.push(await text(request))
    return `{"choices":[{"index":0,"message":${message},"finish_reason":"stop"}]}`
  }
  const backend = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(await answer(request))
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`
  const dispatcher = createDispatcher({ backends: [createOpenAIBackend({ url })] })
  const server = await openServer({ dispatcher })
  return {
    bodies,
    async post(path: string, body: string, headers: Record<string, string> = {}) {
      const response = await fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      return { status: response.status, text: await response.text() }
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await dispatcher.close()
      backend.closeAllConnections()
      backend.close()
    },
  }
}

const HELLO = '{"role":"assistant","content":"Hello."}'
const DATA = `{"channel":${CHANNEL},"price":${DECIMAL},"limit":${HUGE},"text":"hi"}`
const promptIn = (body: string | undefined) => JSON.parse(body ?? '{}').messages.at(-1).content

test.each([
  ['an object', `{"content":${DATA}}`],
  ['a string that holds JSON', JSON.stringify({ content: DATA })],
  ['a fenced string', JSON.stringify({ content: `\`\`\`json\n${DATA}\n\`\`\`` })],
])('the content of an event keeps its digits: %s', async (_, event) => {
  await using desk = await openDesk(HELLO)
  expect(await desk.post('/event', event)).toMatchObject({ status: 200 })
  expect(promptIn(desk.bodies[0])).toBe(DATA)
})

test('the metadata of an event come back with their digits', async () => {
  await using desk = await openDesk(HELLO)
  const { text } = await desk.post('/event', `{"content":"Hi","metadata":{"order":[${CHANNEL},${DECIMAL}]}}`)
  expect(text).toContain(`"metadata":{"order":[${CHANNEL},${DECIMAL}]}`)
})

const CE = { 'ce-specversion': '1.0', 'ce-id': 'a', 'ce-source': '/s', 'ce-type': 't' }
test.each([
  ['binary', DATA, CE],
  [
    'structured',
    `{"specversion":"1.0","id":"a","source":"/s","type":"t","data":${DATA}}`,
    { 'content-type': 'application/cloudevents+json' },
  ],
  [
    'base64',
    `{"specversion":"1.0","id":"a","source":"/s","type":"t","data_base64":"${btoa(DATA)}"}`,
    { 'content-type': 'application/cloudevents+json' },
  ],
])('the data of a CloudEvent keep their digits: %s', async (_, body, headers) => {
  await using desk = await openDesk(HELLO)
  expect(await desk.post('/event', body, headers)).toMatchObject({ status: 200 })
  expect(promptIn(desk.bodies[0])).toBe(DATA)
})

test('tools and calls of them keep their digits', async () => {
  const given = `{"channel":${CHANNEL}}`
  const call = `{"id":"c","type":"function","function":{"name":"look","arguments":${given}}}`
  await using desk = await openDesk(`{"role":"assistant","content":null,"tool_calls":[${call}]}`)
  const tools = `[{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{"channel":{"enum":[${CHANNEL}]}}}}}]`
  const { status, text } = await desk.post(
    '/v1/chat/completions',
    `{"messages":[{"role":"user","content":"Hi"}],"tools":${tools}}`,
  )
  expect([status, desk.bodies[0]?.includes(tools)]).toEqual([200, true])
  expect(JSON.parse(text).choices[0].message.tool_calls[0].function.arguments).toBe(given)
})

test.each(['integer', 'number'])('the data of an answer keep their digits: %s', async (type) => {
  await using desk = await openDesk(JSON.stringify({ role: 'assistant', content: `Here: {"id":${CHANNEL}}` }))
  const schema = `{"type":"object","properties":{"id":{"type":"${type}","maximum":9223372036854775807}},"required":["id"]}`
  const { status, text } = await desk.post('/event', `{"content":"Hi","schema":${schema}}`)
  expect([status, text]).toEqual([200, expect.stringContaining(`"data":{"id":${CHANNEL}}`)])
  const sent = JSON.parse(desk.bodies[0] ?? '{}')
  expect(sent.response_format.json_schema.schema.properties.id.type).toBe(type)
  expect(desk.bodies[0]).toContain('"maximum":9223372036854775807')
})

test('a schema whose values cannot be compared is refused by its path', async () => {
  await using desk = await openDesk(HELLO)
  const schema = `{"type":"object","properties":{"id":{"enum":[${CHANNEL}]}}}`
  const { status, text } = await desk.post('/event', `{"content":"Hi","schema":${schema}}`)
  expect([status, JSON.parse(text).details]).toEqual([
    400,
    expect.stringContaining('`schema.properties.id.enum`'),
  ])
})

test('options are numbers, however many digits they were written with', async () => {
  await using desk = await openDesk(HELLO)
  const parameters = '{"temperature":0.70000000000000000001,"logit_bias":{"5":-1.00000000000000000001}}'
  const event = `{"content":"Hi","timeout_ms":60000.000000000000000001,"parameters":${parameters}}`
  expect(await desk.post('/event', event)).toMatchObject({ status: 200 })
  expect(JSON.parse(desk.bodies[0] ?? '{}')).toMatchObject({ temperature: 0.7, logit_bias: { 5: -1 } })
  const chat = `{"messages":[{"role":"user","content":"Hi"}],"seed":1,"top_p":0.90000000000000000001}`
  expect(await desk.post('/v1/chat/completions', chat)).toMatchObject({ status: 200 })
  expect(JSON.parse(desk.bodies[1] ?? '{}')).toMatchObject({ top_p: 0.9 })
})

test.each([
  ['`content`', `{"content":${CHANNEL}}`],
  ['An event is', CHANNEL],
  ['`content.prompt`', `{"content":{"prompt":${CHANNEL}}}`],
  ['`content[0]`', `{"content":[${CHANNEL}]}`],
  ['`metadata`', `{"content":"Hi","metadata":${CHANNEL}}`],
  ['`parameters.seed`', `{"content":"Hi","parameters":{"seed":${CHANNEL}}}`],
  ['`parameters.stop`', `{"content":"Hi","parameters":{"stop":${CHANNEL}}}`],
  ['`schema`', `{"content":"Hi","schema":${CHANNEL}}`],
])('where no number belongs, a long one is refused like any other: %s', async (said, event) => {
  await using desk = await openDesk(HELLO)
  const { status, text } = await desk.post('/event', event)
  expect([status, JSON.parse(text).details]).toEqual([400, expect.stringContaining(said)])
  expect(text).not.toMatch(/an object\.|11876/)
})

test('the metadata of a CloudEvent that are a number are refused, not dropped', async () => {
  await using desk = await openDesk(HELLO)
  const reply = await desk.post('/event', `{"content":"Hi","metadata":${CHANNEL}}`, CE)
  expect(reply.status).toBe(400)
})
