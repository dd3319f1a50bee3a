import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { command as tickets } from '../commands/tickets.ts'
import { askServer } from './ask-server.ts'
import { createProgram, runProgram } from './command-line.ts'
import { EXIT } from './exit-codes.ts'

async function serverThatSays(status: number, body: string) {
  const server = createServer((_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  }
}

const refusal = (error: string) => JSON.stringify({ error, details: 'Because.' })

test.each([
  [401, refusal('unauthorised'), EXIT.noPermission, 'unauthorised: Because. Here, set AI_TICKET_API_KEYS'],
  [403, refusal('forbidden'), EXIT.noPermission, 'forbidden: Because.'],
  [404, refusal('not_found'), EXIT.badInput, 'not_found: Because.'],
  [503, refusal('store_unavailable'), EXIT.temporary, 'store_unavailable: Because.'],
  [404, '{"detail":"Not Found"}', EXIT.unavailable, 'is not an AI Ticket server (HTTP 404)'],
  [200, 'hello', EXIT.unavailable, 'No AI Ticket server answers'],
])('status %i with %s ends the tickets command with %i', async (status, body, exitCode, message) => {
  await using server = await serverThatSays(status, body)
  const reply = await askServer(server.url, undefined, { method: 'GET', path: '/tickets' })
  expect(reply).toMatchObject({ ok: false, message: expect.stringContaining(message) })
  const words = ['tickets', 'list', '--server', server.url]
  const program = createProgram('ai-ticket', words)
  tickets.configure(program.command('tickets'))
  const end = await runProgram(program, words)
  expect(end).toBe(exitCode)
})
