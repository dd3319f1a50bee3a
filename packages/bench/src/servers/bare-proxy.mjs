// A program: the least that a Node gateway can do with Fastify and undici. It reads the JSON, asks the backend, hands
// the answer on. It checks nothing, repeats nothing, limits nothing, and a caller that hangs up does not stop the
// backend. Plain JavaScript, for reading types costs start-up and memory. `node bare-proxy.mjs <port> <backend url>`
import { fastify } from 'fastify'
import { Pool } from 'undici'

const [, , port = '', backendUrl = ''] = process.argv
const backend = new Pool(backendUrl, { headersTimeout: 0, bodyTimeout: 0 })
const server = fastify()
const headers = { 'content-type': 'application/json' }

server.get('/health', () => ({ status: 'healthy' }))

server.post('/v1/chat/completions', async (request, reply) => {
  const body = JSON.stringify(request.body)
  const answer = await backend.request({ path: '/v1/chat/completions', method: 'POST', headers, body })
  reply.code(answer.statusCode).type(String(answer.headers['content-type']))
  return request.body.stream ? answer.body : answer.body.text()
})

await server.listen({ port: Number(port), host: '127.0.0.1' })
