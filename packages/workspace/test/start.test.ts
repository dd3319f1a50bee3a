import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const START = fileURLToPath(new URL('../start.mjs', import.meta.url))

/** Nothing listens there: whatever runs on this machine changes nothing. */
const NO_SERVERS = { KoboldCPP: 9, Ollama: 9, 'llama.cpp': 9, 'LM Studio': 9 }

const start = (args: string[], environment: Record<string, string> = {}, ports = {}) =>
  promisify(execFile)(process.execPath, [START, ...args], {
    env: {
      PATH: process.env.PATH ?? '',
      AI_TICKET_DATA_DIR: ':memory:',
      START_PORTS: JSON.stringify({ ...NO_SERVERS, ...ports }),
      ...environment,
    },
  })

test('--once without a server on this machine asks the simulator, and says so', async () => {
  const { stdout, stderr } = await start(['--once'])
  expect(stderr).toMatch(
    /^No model server found on this machine: answers come from the built-in simulator, not from a model\.\n/,
  )
  expect(stderr).toContain('npm start -- --backend openai=http://localhost:11434')
  expect(stdout).toMatch(/^This is the AI Ticket simulator, not a language model\./)
})

test('the simulator has an honest name', async () => {
  const { stdout } = await start(['--once', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ model: 'koboldcpp/ai-ticket-simulator' })
})

test('--once asks the server that runs on this machine, and says which', async () => {
  await using simulator = await startKoboldSimulator({ answer: () => 'From the box.' })
  const { stdout, stderr } = await start(['--once'], {}, { KoboldCPP: Number(new URL(simulator.url).port) })
  expect(stdout).toBe('From the box.\n')
  expect(stderr).toBe(`Found KoboldCPP at ${simulator.url} (koboldcpp/simulator).\n`)
})

test('a server that is named in any way wins, and none is looked for', async () => {
  await using box = await startKoboldSimulator({ answer: () => 'From the box.' })
  await using named = await startKoboldSimulator({ answer: () => 'As named.' })
  const ports = { KoboldCPP: Number(new URL(box.url).port) }
  const file = join(mkdtempSync(join(tmpdir(), 'ai-ticket-')), 'desk.json')
  writeFileSync(file, JSON.stringify({ backends: [{ type: 'kobold', name: 'named', url: named.url }] }))
  const expected = { stdout: 'As named.\n', stderr: '' }
  expect(await start(['--once', '--config', file], {}, ports)).toEqual(expected)
  expect(await start(['--once', `--backend=kobold=${named.url}`], {}, ports)).toEqual(expected)
  expect(await start(['--once'], { AI_TICKET_BACKENDS: named.url }, ports)).toEqual(expected)
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
