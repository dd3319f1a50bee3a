import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Backend, createDispatcher, createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { expect, test } from 'vitest'

const kinds: Record<string, (url: string) => Backend> = {
  kobold: (url) => createKoboldBackend({ url, name: 'backend' }),
  openai: (url) => createOpenAIBackend({ url, name: 'backend', model: 'a-model' }),
}

for (const [kind, create] of Object.entries(kinds)) {
  test(`streams to a server that keeps connections share them (${kind})`, async () => {
    await using server = await startServer((reply) => reply.end('data: [DONE]\n\n'))
    await using desk = createDispatcher({ backends: [create(server.url)] })
    for (let count = 0; count < 6; count++)
      expect(await streamed(desk)).toMatchObject({ completion: 'Hello' })
    // The next one may start while the reply of the one before still ends.
    expect(server.streamConnections()).toBeLessThanOrEqual(2)
  })

  test(`a stream that does not end after its answer is closed (${kind})`, async () => {
    await using server = await startServer((reply) => reply.write('data: [DONE]\n\n'))
    await using desk = createDispatcher({ backends: [create(server.url)] })
    expect(await streamed(desk)).toMatchObject({ completion: 'Hello' })
    await server.closed()
  })
}

async function streamed(desk: ReturnType<typeof createDispatcher>) {
  for await (const event of desk.streamEvent({ content: 'Say hello.' })) {
    if (event.type === 'done' || event.type === 'error') return event.outcome
  }
}

/** Answers every POST with a word and its finish reason; `finish` ends the reply, or does not. */
async function startServer(finish: (reply: ServerResponse) => unknown) {
  const connections = new Set<unknown>()
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const server = createServer((request, reply) => {
    if (request.method !== 'POST' || !request.url?.endsWith('/chat/completions')) {
      return void reply.writeHead(404).end()
    }
    connections.add(request.socket)
    reply.once('close', () => resolve())
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    const choice = { index: 0, delta: { content: 'Hello' }, finish_reason: 'stop' }
    reply.write(`data: ${JSON.stringify({ id: 'c-1', model: 'a-model', choices: [choice] })}\n\n`)
    finish(reply)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    streamConnections: () => connections.size,
    closed: () => closed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
