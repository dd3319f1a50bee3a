import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { CLI, runProgram, SERVER, startServer } from './run-program.ts'

const SECRET = `whsec_${Buffer.alloc(32, 'key').toString('base64')}`

test('the server tells of the end of a ticket, and the command line shows it and sends it again', async () => {
  const received: { agent: string | undefined; id: unknown; body: string }[] = []
  const receiver = createServer(async (request, response) => {
    const { 'user-agent': agent, 'webhook-id': id } = request.headers
    received.push({ agent, id, body: await text(request) })
    response.writeHead(204).end()
    receiver.emit('received')
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = `http://localhost:${(receiver.address() as AddressInfo).port}`
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 100_000 })
  await using server = await startServer([], {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_DATA_DIR: ':memory:',
    AI_TICKET_CALLBACK_ALLOW: `${address}/*`,
    AI_TICKET_CALLBACK_PRIVATE: '127.0.0.1,::1',
    AI_TICKET_CALLBACK_SECRET: SECRET,
    AI_TICKET_CALLBACK_BODY: 'full',
  })
  const arrived = once(receiver, 'received')
  const accepted = await fetch(`${server.url}/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'Hello', callback_url: `${address}/done?token=s3cret` }),
  })
  expect(accepted.status).toBe(202)
  await arrived
  expect(received[0]?.agent).toMatch(/^AI-Ticket\/\d+\.\d+\.\d+/)
  expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ data: { outcome: { backend: 'kobold' } } })
  const delivered = await server.waitForLine(/^callback delivered$/)
  expect(JSON.stringify(delivered)).not.toContain('s3cret')
  const { id } = (await accepted.json()) as { id: string }
  const shown = await runProgram(CLI, ['tickets', 'callbacks', id, '--server', server.url, '--json'])
  expect(JSON.parse(shown.stdout).data).toMatchObject([{ status: 'delivered', attempts: [{ status: 204 }] }])
  const again = once(receiver, 'received')
  const resent = await runProgram(CLI, ['tickets', 'resend', id, '--server', server.url, '--json'])
  expect(resent.code).toBe(0)
  await again
  expect(received.map((one) => one.id)).toEqual([received[0]?.id, received[0]?.id])
  receiver.close()
})

test('callbacks without a secret stop the start, and the message says how to make one', async () => {
  const environment = {
    AI_TICKET_CALLBACK_ALLOW: 'https://hooks.example.com/*',
    AI_TICKET_DATA_DIR: ':memory:',
  }
  const { code, stderr } = await runProgram(SERVER, ['--port', '0'], { environment })
  expect(code).toBe(78)
  expect(stderr).toContain('openssl rand -base64 32')
})
