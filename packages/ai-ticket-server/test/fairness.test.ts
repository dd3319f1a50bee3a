import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Backend, createDispatcher } from '@ai-ticket/core'
import { createMetrics, createServer } from '@ai-ticket/http-server'
import { expect, test } from 'vitest'
import { composeTickets } from '../src/compose/compose-tickets.ts'
import { resolveConfig } from '../src/config/config.ts'

// One key that keeps everything full, and how many of its events and tickets go before those of another one: over real
// sockets, and counted in generations, for a loaded machine makes each of them longer, and no more of them.
const IS_LONG = process.env.AI_TICKET_LONG === '1'
const OPEN = IS_LONG ? 2_000 : 200
const LINE = OPEN / 2
const OTHERS = IS_LONG ? 20 : 5
const timeout = IS_LONG ? 300_000 : 60_000

/** One slot. It answers when it is told to, and notes whom it was asked for. */
function toldBackend() {
  const asked: string[] = []
  let answer: (() => void) | undefined
  const backend: Backend = {
    name: 'told',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    async *generate(_endpoint, { turns }) {
      asked.push(String(turns[0]?.content))
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      yield { type: 'end', text: 'Fine.', finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  return {
    backend,
    asked,
    /** Lets the next one begin. */
    async answerOne() {
      const before = asked.length
      answer?.()
      await expect.poll(() => asked.length, { timeout: 30_000, interval: 1 }).toBe(before + 1)
    },
  }
}

async function openServer() {
  const told = toldBackend()
  const dataDir = mkdtempSync(join(tmpdir(), 'fairness-'))
  const text = JSON.stringify({
    data_dir: dataDir,
    backends: [{ type: 'openai', name: 'away', url: 'http://127.0.0.1:9' }],
  })
  const resolved = resolveConfig({ flags: {}, environment: {}, file: { name: 'fair.json', text } })
  if (!resolved.ok) throw new Error(resolved.problems.map(({ message }) => message).join('\n'))
  const silent = () => {}
  const logger = { debug: silent, info: silent, warn: silent, error: silent }
  const metrics = await createMetrics({ version: '0.0.0' })
  const tickets = await composeTickets(resolved.value.config, { logger, metrics })
  const dispatcher = createDispatcher({ backends: [told.backend], lineCapacity: LINE, logger })
  const apiKeys = ['greedy', 'second', 'third'].map((name) => ({
    name,
    key: `key-of-${name}-${'x'.repeat(16)}`,
  }))
  const server = createServer({ dispatcher, logger, metrics, apiKeys })
  const desk = tickets.serve(server, dispatcher)
  await server.listen({ host: '127.0.0.1', port: 0 })
  await desk.start()
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const { port } = server.server.address() as AddressInfo
  /** The status of the reply; 0 where the connection was closed instead. */
  const post = (path: string, name: string, content = name) =>
    new Promise<number>((resolve) => {
      const headers = {
        'content-type': 'application/json',
        authorization: `Bearer ${apiKeys.find((one) => one.name === name)?.key}`,
      }
      const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent }, (reply) => {
        reply.resume().on('end', () => resolve(reply.statusCode ?? 0))
      })
      sent.on('error', () => resolve(0)).end(JSON.stringify({ content, timeout_ms: 600_000 }))
    })
  return {
    ...told,
    post,
    dispatcher,
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await Promise.all([desk.close(), dispatcher.close(), server.close()])
      await tickets.close()
      rmSync(dataDir, { recursive: true })
    },
  }
}

/** How many generations began from now on until that of `name`. */
async function turnsUntil(name: string, { asked, answerOne }: ReturnType<typeof toldBackend>) {
  const before = asked.length
  while (asked.indexOf(name, before) < 0) await answerOne()
  return asked.indexOf(name, before) - before
}

test(`beside ${OPEN} open requests of one key, an event of another one waits for one turn`, {
  timeout,
}, async () => {
  await using server = await openServer()
  let refused = 0
  for (let request = 0; request < OPEN; request++) {
    void server.post('/event', 'greedy').then((status) => {
      if (status === 503) refused += 1
    })
  }
  // One runs, the line is full, and the others were sent away.
  await expect.poll(() => refused, { timeout: 60_000 }).toBe(OPEN - LINE - 1)
  expect(server.dispatcher.report().line.waiting).toBe(LINE)
  const turns: number[] = []
  // Nothing moves but what is told to: an event that is let in is one more in the line, or one more sent away.
  const known = () => server.dispatcher.report().line.waiting + refused
  for (let event = 0; event < OTHERS; event++) {
    const before = known()
    const answer = server.post('/event', 'second', `second ${event}`)
    await expect.poll(known, { timeout: 60_000 }).toBe(before + 1)
    turns.push(await turnsUntil(`second ${event}`, server))
    await server.answerOne()
    expect(await answer).toBe(200)
  }
  process.stdout.write(
    `Beside ${OPEN} open requests, events of another key began after ${turns.join(', ')} of them.\n`,
  )
  expect(Math.max(...turns)).toBeLessThanOrEqual(1)
})

test(`beside ${OPEN} tickets of one key, those of others wait for one round of the keys`, {
  timeout,
}, async () => {
  await using server = await openServer()
  for (let sent = 0; sent < OPEN; sent += 50) {
    const statuses = await Promise.all(Array.from({ length: 50 }, () => server.post('/tickets', 'greedy')))
    expect(new Set(statuses)).toEqual(new Set([202]))
  }
  await expect.poll(() => server.asked.length).toBe(1)
  const turns: number[] = []
  for (let ticket = 0; ticket < OTHERS; ticket++) {
    const names = [`second ${ticket}`, `third ${ticket}`] as const
    expect(await server.post('/tickets', 'second', names[0])).toBe(202)
    expect(await server.post('/tickets', 'third', names[1])).toBe(202)
    const before = server.asked.length
    const isAsked = (name: string) => server.asked.indexOf(name, before) >= 0
    while (!names.every(isAsked)) await server.answerOne()
    turns.push(...names.map((name) => server.asked.indexOf(name, before) - before))
  }
  process.stdout.write(
    `Beside ${OPEN} tickets, those of two other keys began after ${turns.join(', ')} others.\n`,
  )
  // One of each of the two other keys; the first may have been claimed before.
  expect(Math.max(...turns)).toBeLessThanOrEqual(2)
})
