// POST /event inside an app of your own, beside its other routes: node examples/embed-in-fastify.ts
// It asks the KoboldCPP that KOBOLDCPP_API_URL names, or a simulator that it starts itself.
import assert from 'node:assert/strict'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { eventRoutes, HTTP_STATUS } from '@ai-ticket/http-server'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { fastify } from 'fastify'

const simulator = process.env.KOBOLDCPP_API_URL ? undefined : await startKoboldSimulator()
const url = process.env.KOBOLDCPP_API_URL ?? simulator?.url ?? ''

const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
const app = fastify()

// The whole of POST /event, JSON and streams, with its own errors. Everything else stays the app's business.
app.register(eventRoutes, { dispatcher })

// A route of your own on the same desk: it shares slots and waiting line with /event.
app.post<{ Body: { title: string } }>('/summaries', async (request, reply) => {
  const outcome = await dispatcher.onEvent({
    content: [
      { role: 'system', content: 'Summarise in one sentence.' },
      { role: 'user', content: request.body.title },
    ],
    parameters: { max_tokens: 60 },
  })
  if (outcome.error) {
    return reply.code(HTTP_STATUS[outcome.error]).send({ error: outcome.error, details: outcome.details })
  }
  return { summary: outcome.completion }
})

// The desk finishes its events while the app waits for their answers: both at once.
app.addHook('preClose', () => dispatcher.close({ drainMs: 25_000 }))

try {
  const address = await app.listen({ host: '127.0.0.1', port: 0 })

  const event = await post(`${address}/event`, { content: 'Say hello.', id: 'e-1' })
  assert.equal(event.status, 200)
  assert.equal(event.body.id, 'e-1')

  const summary = await post(`${address}/summaries`, { title: 'A long report' })
  assert.equal(summary.status, 200)
  assert.equal(typeof summary.body.summary, 'string')

  const refused = await post(`${address}/event`, {})
  assert.equal(refused.status, 400)
  assert.equal(refused.body.error, 'missing_content_field')

  process.stdout.write(
    `/event ${event.status}, /summaries ${summary.status}, an empty event ${refused.status}\n`,
  )
} finally {
  await app.close()
  await simulator?.close()
}

async function post(
  address: string,
  body: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: reply.status, body: (await reply.json()) as Record<string, unknown> }
}
