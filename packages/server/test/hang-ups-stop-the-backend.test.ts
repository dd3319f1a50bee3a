import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openServer, openSocket, postEvent } from './open-server.ts'

const READING = { promptTokensPerSecond: 1, tokensPerSecond: 50 }
const WRITING = { tokensPerSecond: 25, answer: () => 'word '.repeat(300) }
const STREAM = { accept: 'text/event-stream' }

async function hangUp(
  port: number,
  simulator: KoboldSimulator,
  how: { headers: Record<string, string>; afterTokens: number },
) {
  const before = simulator.calls.length
  const socket = await openSocket(port)
  socket.on('error', () => {}).resume()
  socket.write(postEvent({ content: 'Tell me a long story about a lamb.' }, how.headers))
  await simulator.waitForCall(before + 1)
  const call = simulator.calls[before]
  if (!call) throw new Error('the simulator has no call')
  await simulator.waitFor(() => call.state === 'running' && call.tokensGenerated >= how.afterTokens)
  socket.destroy()
  await simulator.waitFor(({ generating }) => !generating)
  return call
}

async function openDesk(simulated: typeof READING | typeof WRITING) {
  const simulator = await startKoboldSimulator(simulated)
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
  const server = await openServer({ dispatcher })
  return {
    simulator,
    dispatcher,
    port: server.port,
    server: server.server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await dispatcher.close()
      await simulator.close()
    },
  }
}

test.each([
  ['a whole answer, while the prompt is read', READING, {}, 0],
  ['a whole answer, between tokens', WRITING, {}, 3],
  ['a stream, while the prompt is read', READING, STREAM, 0],
  ['a stream, between tokens', WRITING, STREAM, 3],
])(
  'hanging up on %s stops the backend by its key, long before its end',
  async (_name, simulated, headers, afterTokens) => {
    await using desk = await openDesk(simulated)
    const call = await hangUp(desk.port, desk.simulator, { headers, afterTokens })
    const generated = call.tokensGenerated
    expect(call.state).toBe('aborted')
    expect(desk.simulator.aborts.map(({ genkey }) => genkey)).toContain(call.genkey)
    // The slot is free, and what was stopped has generated nothing more.
    await expect.poll(() => desk.dispatcher.report().backends[0]?.in_flight).toBe(0)
    expect(call.tokensGenerated).toBe(generated)
  },
)

test('200 hang-ups in a row leave no socket, timer or listener', { timeout: 120_000 }, async () => {
  const simulator = await startKoboldSimulator({ ...WRITING, tokensPerSecond: 1_000, abortReplyMs: 1 })
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
  const server = await openServer({ dispatcher })
  const resources = () =>
    process.getActiveResourcesInfo().filter((name) => /Timeout|TCPSocketWrap|TCPServerWrap/.test(name)).length
  const listeners = () =>
    server.server.server.eventNames().reduce((sum, name) => sum + server.server.server.listenerCount(name), 0)
  const round = async (times: number) => {
    for (let index = 0; index < times; index++) {
      await hangUp(server.port, simulator, { headers: index % 2 === 0 ? {} : STREAM, afterTokens: 1 })
    }
    await expect.poll(() => dispatcher.report().backends[0]?.in_flight).toBe(0)
    await expect.poll(() => simulator.openConnections).toBe(0)
  }
  await round(10)
  const before = {
    resources: resources(),
    listeners: listeners(),
    process: getEventListeners(process, 'exit').length,
  }
  await round(200)
  // Not with `expect.poll`, which has timers of its own and would count them.
  const until = performance.now() + 10_000
  while (resources() > before.resources && performance.now() < until) await setImmediate()
  expect(resources()).toBeLessThanOrEqual(before.resources)
  expect(listeners()).toBe(before.listeners)
  expect(getEventListeners(process, 'exit').length).toBe(before.process)
  await server[Symbol.asyncDispose]()
  await dispatcher.close()
  await simulator.close()
})

// A real server, where one is given: KOBOLDCPP_TEST_URL=http://localhost:5001
const realUrl = process.env.KOBOLDCPP_TEST_URL

test.skipIf(!realUrl).each([
  ['a whole answer', {}],
  ['a stream', STREAM],
])('the server of KOBOLDCPP_TEST_URL is idle within a second of a hang-up on %s', async (_name, headers) => {
  const url = String(realUrl)
  const isIdle = async () => {
    const perf = (await (await fetch(new URL('/api/extra/perf', url))).json()) as { idle: number }
    return perf.idle === 1
  }
  await using dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })] })
  await using server = await openServer({ dispatcher })
  await expect.poll(isIdle).toBe(true)
  const socket = await openSocket(server.port)
  socket.on('error', () => {}).resume()
  const event = { content: 'Tell me a very long story about a lamb.', parameters: { max_tokens: 400 } }
  socket.write(postEvent(event, headers))
  await expect.poll(isIdle, { interval: 20 }).toBe(false)
  socket.destroy()
  await expect.poll(isIdle, { timeout: 1_000, interval: 20 }).toBe(true)
})
