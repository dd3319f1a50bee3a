// A program: the bare proxy with one more part of AI Ticket each time, so that their differences are what the parts
// cost. Plain JavaScript, like the proxy. `node part-server.mjs <port> <backend url> ky|desk|server|metrics|doors`
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { createMetrics, createServer } from '@ai-ticket/http-server'
import { fastify } from 'fastify'
import ky from 'ky'
import { Pool } from 'undici'

const [, , port = '', backendUrl = '', part = ''] = process.argv
const place = { port: Number(port), host: '127.0.0.1' }

const openDispatcher = (observer) =>
  createDispatcher({
    backends: [{ backend: createKoboldBackend({ url: backendUrl, name: 'backend' }), concurrency: 256 }],
    ...(observer && { observer }),
  })

const open = {
  /** ky as the desk uses it: over the pool, with all that is dear in a Request left out of it. */
  ky() {
    const pool = new Pool(backendUrl, { headersTimeout: 0, bodyTimeout: 0 })
    const client = ky.create({
      retry: 0,
      timeout: false,
      throwHttpErrors: false,
      async fetch(request, { delivery }) {
        const path = request.url.slice(backendUrl.length)
        const { statusCode, headers, body } = await pool.request({
          path,
          method: request.method,
          ...delivery,
        })
        return {
          ok: statusCode < 300,
          status: statusCode,
          headers,
          text: () => body.text(),
          [Symbol.toStringTag]: 'Response',
        }
      },
    })
    const server = fastify()
    const headers = { 'content-type': 'application/json' }
    server.post('/event', async (request, reply) => {
      const delivery = { headers, body: JSON.stringify({ ...request.body, ...MESSAGES }) }
      const answer = await client(`${backendUrl}/v1/chat/completions`, { method: 'post', delivery })
      reply.code(answer.status).type('application/json')
      return answer.text()
    })
    return server
  },
  desk() {
    const dispatcher = openDispatcher()
    const server = fastify()
    server.post('/event', (request) => dispatcher.onEvent(request.body))
    return server
  },
  server: () => createServer({ dispatcher: openDispatcher() }),
  async metrics() {
    const metrics = await createMetrics()
    return createServer({ dispatcher: openDispatcher(metrics.observer), metrics })
  },
  async doors() {
    const { anthropicDoor, koboldDoor, responsesDoor } = await import('@ai-ticket/doors')
    const server = await open.metrics()
    for (const door of [koboldDoor, responsesDoor, anthropicDoor]) server.register(door)
    return server
  },
}

const MESSAGES = { messages: [{ role: 'user', content: 'Tell me about Lily.' }] }

const server = await open[part]()
if (!server.hasRoute({ method: 'GET', url: '/livez' })) server.get('/livez', () => ({ status: 'alive' }))
await server.listen(place)
