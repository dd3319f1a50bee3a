import { createMetrics } from '@ai-ticket/http-server'
import { fastifyPlugin } from 'fastify-plugin'
import { expect, test } from 'vitest'
import { anthropicDoor, koboldDoor, responsesDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'
import { openResponsesServer } from './open-responses-server.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

const allDoors = fastifyPlugin((instance, _options, done) => {
  instance.register(anthropicDoor)
  instance.register(koboldDoor)
  instance.register(responsesDoor)
  done()
})

/** How many events have been answered, by door. */
async function answeredBy(origin: string): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  const samples = text.matchAll(/^ai_ticket_events_total\{outcome="completed",.*door="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...samples].map(([, door, count]) => [door, Number(count)]))
}

async function post(url: string, body: object) {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(reply.status).toBe(200)
  await reply.text()
}

test('each door counts its own events, whole and streamed', async () => {
  const metrics = await createMetrics()
  await using desk = await openDoor(allDoors, {
    simulator: AT_ONCE,
    dispatcher: { observer: metrics.observer },
    server: { metrics },
  })
  const messages = [{ role: 'user', content: 'Hi' }]
  await post(`${desk.url}/event`, { content: 'Hi' })
  await post(`${desk.url}/v1/completions`, { prompt: 'Hi' })
  for (const stream of [false, true]) {
    await post(`${desk.url}/v1/chat/completions`, { messages, stream })
    await post(`${desk.url}/v1/messages`, { messages, max_tokens: 10, stream })
    await post(`${desk.url}/v1/responses`, { input: 'Hi', stream })
  }
  await post(`${desk.url}/api/v1/generate`, { prompt: 'Hi' })
  await post(`${desk.url}/api/extra/generate/stream`, { prompt: 'Hi' })
  // Those in the same process as the desk come by no door, and others may have names of their own.
  await desk.dispatcher.onEvent({ content: 'Hi' })
  await desk.dispatcher.onEvent({ content: 'Hi' }, { door: 'tenant_1' })
  expect(await answeredBy(desk.url)).toEqual({
    ...{ event: 1, openai: 3, anthropic: 2, responses: 2, kobold: 2, other: 2 },
  })
})

test('what runs as a ticket counts for the door that it came by, and says so', async () => {
  const metrics = await createMetrics()
  await using at = await openResponsesServer({
    simulated: AT_ONCE,
    tuning: { observer: metrics.observer },
    server: { metrics },
  })
  const { id } = await at.client().responses.create({ model: 'any', input: 'Hi', background: true })
  const hasEnded = async () => (await at.client().responses.retrieve(id)).status === 'completed'
  await expect.poll(hasEnded).toBe(true)
  expect(await answeredBy(at.origin)).toEqual({ responses: 1 })
  const list = await (await fetch(`${at.origin}/tickets?door=responses`)).json()
  expect(list).toMatchObject({ data: [{ door: 'responses', kind: 'ticket' }] })
})
