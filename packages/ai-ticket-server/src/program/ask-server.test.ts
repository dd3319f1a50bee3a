import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as v from 'valibot'
import { expect, test, vi } from 'vitest'
import { command as health } from '../commands/health.ts'
import { backendsCommand as backends, command as line } from '../commands/line.ts'
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
  ['health', health, [], '{"hello":"world"}'],
  ['health', health, [], '{"status":"ok","backends":[null]}'],
  ['line', line, [], '{"hello":"world"}'],
  ['line', line, [], '{"now":"","capacity":0,"more":0,"running":[null],"waiting":[]}'],
  ['backends', backends, ['list'], '{"backends":[null]}'],
  ['backends', backends, ['pause', 'big'], '{"name":"big","models":[]}'],
  ['tickets', tickets, ['list'], '{"hello":"world"}'],
  ['tickets', tickets, ['list'], '{"object":"list","data":[null]}'],
  ['tickets', tickets, ['show', 'tkt_1'], '{"hello":"world"}'],
  ['tickets', tickets, ['replay', '--status', 'failed'], '{"object":"bulk","matched":1,"done":0}'],
])('%s ends in words where another program answers 200: case %#', async (name, module, more, body) => {
  await using server = await serverThatSays(200, body)
  const words = [name, ...more, '--server', server.url]
  const program = createProgram('ai-ticket', words)
  module.configure(program.command(name))
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  expect(await runProgram(program, words)).toBe(EXIT.unavailable)
  const said = write.mock.calls.join('')
  write.mockRestore()
  expect(said).toContain('is not an AI Ticket server')
})

test.each([
  [401, refusal('unauthorised'), EXIT.noPermission, 'unauthorised: Because. Here, set AI_TICKET_API_KEYS'],
  [403, refusal('forbidden'), EXIT.noPermission, 'forbidden: Because.'],
  [404, refusal('not_found'), EXIT.badInput, 'not_found: Because.'],
  [503, refusal('store_unavailable'), EXIT.temporary, 'store_unavailable: Because.'],
  [404, '{"detail":"Not Found"}', EXIT.unavailable, 'is not an AI Ticket server (HTTP 404)'],
  [200, 'hello', EXIT.unavailable, 'is not an AI Ticket server (HTTP 200)'],
  [200, 'null', EXIT.unavailable, 'is not an AI Ticket server (HTTP 200)'],
])('status %i with %s ends the tickets command with %i', async (status, body, exitCode, message) => {
  await using server = await serverThatSays(status, body)
  const question = { method: 'GET', path: '/tickets', reply: v.object({}) } as const
  const reply = await askServer(server.url, undefined, question)
  expect(reply).toMatchObject({ ok: false, message: expect.stringContaining(message) })
  const words = ['tickets', 'list', '--server', server.url]
  const program = createProgram('ai-ticket', words)
  tickets.configure(program.command('tickets'))
  const end = await runProgram(program, words)
  expect(end).toBe(exitCode)
})
