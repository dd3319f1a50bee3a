import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { afterAll, expect, test } from 'vitest'
import { startServer } from '../../ai-ticket-server/test/run-program.ts'
import { freePort } from '../free-port.mjs'
import { ROOT } from '../test/markdown.ts'
import { createTemporaryFolder } from '../test/temporary-folder.ts'

// The recipes for automation programs. Node-RED is installed and runs its flow. n8n is gigabytes large, and not all of it is
// in npm's registry: its workflow is held against what n8n's nodes say of themselves, and its requests are sent by the test
// as n8n would send them.

const NODE_RED = 'node-red@5.0.7'
/** n8n 2.41's nodes, with a description of each. */
const N8N_NODES = 'n8n-nodes-base@2.41.2'
const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }
const read = (path: string) => readFileSync(join(ROOT, 'examples', path), 'utf8')

const folder = createTemporaryFolder()
afterAll(() => folder[Symbol.dispose]())

test('Node-RED imports the flow, and it answers with the completion, or with the error in words', {
  timeout: 400_000,
}, async () => {
  await using simulator = await startKoboldSimulator({ ...FAST, answer: () => 'From the box.' })
  await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url })
  await using nodeRed = await startNodeRed(read('node-red/ai-ticket-flow.json'), server.url)
  expect(await nodeRed.ask({ text: 'Where from?' })).toEqual({ answer: 'From the box.' })
  expect(simulator.calls[0]?.body).toMatchObject({
    messages: [
      { role: 'system', content: 'Answer in one sentence.' },
      { role: 'user', content: 'Where from?' },
    ],
    max_tokens: 200,
  })
  await simulator.setFaults([{ fault: 'status', status: 401 }])
  expect(await nodeRed.ask({ text: 'And now?' })).toEqual({
    error: 'api_authentication_error',
    details: expect.any(String),
  })
  await server[Symbol.asyncDispose]()
  expect(await nodeRed.ask({ text: 'Is anybody there?' })).toMatchObject({ error: 'no_answer' })
})

async function startNodeRed(flow: string, url: string) {
  const userDir = join(folder.path, 'user')
  mkdirSync(userDir)
  writeFileSync(join(folder.path, 'package.json'), '{ "private": true }')
  await promisify(execFile)(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', NODE_RED],
    { cwd: folder.path, env: environment() },
  )
  writeFileSync(join(userDir, 'flows.json'), flow.replaceAll('http://127.0.0.1:5000', url))
  const settings = {
    flowFile: 'flows.json',
    uiHost: '127.0.0.1',
    uiPort: await freePort(),
    httpAdminRoot: false,
    credentialSecret: false,
    logging: { console: { level: 'info', metrics: false, audit: false } },
  }
  writeFileSync(join(userDir, 'settings.js'), `module.exports = ${JSON.stringify(settings)}`)
  const child = spawn(
    process.execPath,
    [join(folder.path, 'node_modules/node-red/red.js'), '--userDir', userDir],
    { cwd: folder.path, env: environment(), stdio: 'pipe' },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const ended = once(child, 'exit')
  await expect.poll(() => said, { timeout: 60_000 }).toMatch(/Started flows|Error/)
  expect(said).not.toMatch(/\[error\]|unknown node/i)
  return {
    ask: async (body: unknown): Promise<unknown> => {
      const headers = { 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      return await (await fetch(`http://127.0.0.1:${settings.uiPort}/ask`, init)).json()
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Without what would make npm take itself for a script of the workspace. */
const environment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|INIT_CWD$|NODE_(ENV|OPTIONS)$|VITEST)/.test(name),
    ),
  )

interface N8nNode {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly typeVersion: number
  readonly position: readonly [number, number]
  readonly parameters: Readonly<Record<string, unknown>>
}

interface N8nWorkflow {
  readonly name: string
  readonly nodes: readonly N8nNode[]
  readonly connections: Readonly<
    Record<string, { readonly main: readonly (readonly { node: string; type: string; index: number }[])[] }>
  >
}

const workflow = JSON.parse(read('n8n/ai-ticket-workflow.json')) as N8nWorkflow
const nodeNamed = (name: string) => {
  const node = workflow.nodes.find((one) => one.name === name)
  if (node === undefined) throw new Error(`The workflow has no node "${name}".`)
  return node.parameters
}

test('the workflow has the shape of a file of n8n, and its nodes lead to each other', () => {
  expect(workflow.name).not.toBe('')
  for (const node of workflow.nodes) {
    expect(node).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: expect.any(String),
      type: expect.stringMatching(/^n8n-nodes-base\.(webhook|httpRequest|wait|if|set)$/),
      typeVersion: expect.any(Number),
      position: [expect.any(Number), expect.any(Number)],
      parameters: expect.any(Object),
      ...('webhookId' in node && { webhookId: node.id }),
    })
  }
  const names = workflow.nodes.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  const targets = Object.values(workflow.connections).flatMap(({ main }) => main.flat())
  expect(Object.keys(workflow.connections).filter((name) => !names.includes(name))).toEqual([])
  // Every node but the first is reached.
  expect(new Set(targets.map(({ node }) => node))).toEqual(new Set(names.slice(1)))
  expect(targets.filter(({ type, index }) => type !== 'main' || index !== 0)).toEqual([])
})

interface NodeParameter {
  readonly name: string
  readonly type: string
  readonly options?: readonly { readonly value?: unknown }[]
}

interface NodeDescription {
  readonly name: string
  readonly version: number | readonly number[]
  readonly properties: readonly NodeParameter[]
}

test('n8n has every node of the workflow in its version, with these parameters and choices', {
  timeout: 120_000,
}, async () => {
  const run = promisify(execFile)
  const options = { cwd: folder.path, env: environment() }
  const { stdout } = await run('npm', ['pack', N8N_NODES, '--loglevel=error'], options)
  await run('tar', ['-xzf', stdout.trim(), 'package/dist/types/nodes.json'], options)
  const path = join(folder.path, 'package/dist/types/nodes.json')
  const descriptions = JSON.parse(readFileSync(path, 'utf8')) as NodeDescription[]
  const faults = (node: N8nNode) => faultsOf(node, descriptions)
  expect(workflow.nodes.flatMap(faults)).toEqual([])
  const [webhook] = workflow.nodes
  if (webhook === undefined) throw new Error('The workflow has no nodes.')
  const wrong = { ...webhook, parameters: { ...webhook.parameters, httpMethod: 'FETCH', pth: 'ask' } }
  expect(faults(wrong)).toEqual([`${webhook.name}: httpMethod is FETCH`, `${webhook.name}: no parameter pth`])
  expect(faults({ ...webhook, typeVersion: 99 })).toEqual([`${webhook.name}: no version 99`])
})

function faultsOf(
  { name, type, typeVersion, parameters }: N8nNode,
  all: readonly NodeDescription[],
): string[] {
  const found = all.find(
    (one) => type === `n8n-nodes-base.${one.name}` && [one.version].flat().includes(typeVersion),
  )
  if (found === undefined) return [`${name}: no version ${typeVersion}`]
  return Object.entries(parameters).flatMap(([parameter, value]) => {
    // What a parameter means may depend on others, and each meaning has an entry.
    const known = found.properties.filter((one) => one.name === parameter)
    if (known.length === 0) return [`${name}: no parameter ${parameter}`]
    const choices = known.filter((one) => one.type === 'options').flatMap((one) => one.options ?? [])
    const isChoice = choices.length === 0 || choices.some((choice) => choice.value === value)
    return isChoice ? [] : [`${name}: ${parameter} is ${value}`]
  })
}

test('the requests of the workflow do what it says: a ticket, a callback, the completion', async () => {
  const called = Promise.withResolvers<unknown>()
  const receiver = createServer(async (request, response) => {
    called.resolve(await json(request))
    response.end()
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const resumeUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhook-waiting/1`
  await using simulator = await startKoboldSimulator({ ...FAST, answer: () => 'From the box.' })
  await using server = await startServer([], {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_CALLBACK_ALLOW: `${new URL(resumeUrl).origin}/*`,
    AI_TICKET_CALLBACK_PRIVATE: '127.0.0.0/8',
    AI_TICKET_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  })
  const values = {
    $execution: { id: '231', resumeUrl },
    $json: { body: { text: 'Where from?' } },
  }
  const hand = nodeNamed('Hand it to AI Ticket')
  const { parameters } = hand.headerParameters as { parameters: { name: string; value: string }[] }
  const response = await fetch(String(hand.url).replace('http://127.0.0.1:5000', server.url), {
    method: String(hand.method),
    headers: {
      'content-type': 'application/json',
      ...Object.fromEntries(parameters.map(({ name, value }) => [name, String(evaluate(value, values))])),
    },
    body: String(evaluate(String(hand.jsonBody), values)),
  })
  expect(response.status).toBe(202)
  const accepted = (await response.json()) as { id: string }
  await called.promise
  const $ = () => ({ item: { json: accepted } })
  const url = String(evaluate(String(nodeNamed('Read the ticket').url), { $ }))
  const ticket = await (await fetch(url.replace('http://127.0.0.1:5000', server.url))).json()
  const [condition] = (
    nodeNamed('Was it answered?').conditions as { conditions: { leftValue: string; rightValue: string }[] }
  ).conditions
  expect(evaluate(condition?.leftValue ?? '', { $json: ticket })).toBe(condition?.rightValue)
  const { assignments } = nodeNamed('The completion').assignments as { assignments: { value: string }[] }
  expect(evaluate(assignments[0]?.value ?? '', { $json: ticket })).toBe('From the box.')
  receiver.close()
})

/** An expression of n8n, `={{ … }}`, or a plain text. */
function evaluate(value: string, variables: Readonly<Record<string, unknown>>): unknown {
  const expression = /^=\{\{(.*)\}\}$/s.exec(value)?.[1]
  if (expression === undefined) return value
  return new Function(...Object.keys(variables), `return (${expression})`)(...Object.values(variables))
}
