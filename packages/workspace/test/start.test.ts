import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const START = fileURLToPath(new URL('../start.mjs', import.meta.url))

const start = (args: string[], environment: Record<string, string> = {}) =>
  promisify(execFile)(process.execPath, [START, ...args], {
    env: { PATH: process.env.PATH ?? '', AI_TICKET_DATA_DIR: ':memory:', ...environment },
  })

test('--once without a KoboldCPP asks the simulator, and says so', async () => {
  const { stdout, stderr } = await start(['--once'])
  expect(stderr).toMatch(
    /^No KoboldCPP configured: answers come from the built-in simulator, not from a model\./,
  )
  expect(stdout).toMatch(/^This is the AI Ticket simulator, not a language model\./)
})

test('the simulator has an honest name', async () => {
  const { stdout } = await start(['--once', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ model: 'koboldcpp/ai-ticket-simulator' })
})

test('--once with a KoboldCPP asks that one', async () => {
  await using simulator = await startKoboldSimulator({ answer: () => 'From the box.' })
  const ended = await start(['--once'], { KOBOLDCPP_API_URL: simulator.url })
  expect(ended).toEqual({ stdout: 'From the box.\n', stderr: '' })
})

test('--once that fails does not end with 0, and never falls back to the simulator', async () => {
  const failing = start(['--once', '--kobold-url', 'http://127.0.0.1:9'])
  await expect(failing).rejects.toMatchObject({
    code: 69,
    stdout: '',
    stderr: expect.stringMatching(/^api_connection_error: /m),
  })
})

test('a wrong flag ends it, although the simulator runs', async () => {
  await expect(start(['--prot', '1'])).rejects.toMatchObject({ code: 2 })
})
