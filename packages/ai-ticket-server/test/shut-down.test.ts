import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { json } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { startServer } from './run-program.ts'

interface Answer {
  readonly status: number | undefined
  readonly body: unknown
}

/** Over a connection that is kept alive. Rejects when it is reset. */
function postEvent(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}/event`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json' },
    })
    call.on('error', reject)
    call.on('response', async (response) => {
      const body = await json(response)
      resolve({ status: response.statusCode, body })
    })
    call.end('{"content":"Hello","parameters":{"max_tokens":10}}')
  })
}

/** A server with `count` events in hand: the first ones run, the others wait in the line. */
async function serverInUse(
  count: number,
  options: { tokensPerSecond: number; environment?: Record<string, string> },
) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: options.tokensPerSecond })
  const server = await startServer([], { KOBOLDCPP_API_URL: simulator.url, ...options.environment })
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  // So that the sockets are warm, as a client's are: kept alive from an earlier answer.
  await Promise.all(Array.from({ length: count }, () => getLive(server.url, agent)))
  let answered = 0
  const post = () =>
    postEvent(server.url, agent).finally(() => {
      answered += 1
    })
  const answers = Promise.allSettled(Array.from({ length: count }, post))
  // The first ones may have been answered before the last one comes.
  while (answered + (await inHand(server.url)) < count);
  return {
    server,
    simulator,
    answers,
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await server[Symbol.asyncDispose]()
      await simulator.close()
    },
  }
}

function getLive(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}/livez`, { agent }, (response) => response.resume().on('end', resolve))
    call.on('error', reject).end()
  })
}

async function inHand(url: string): Promise<number> {
  const { waiting, backends } = (await (await fetch(`${url}/health`)).json()) as {
    waiting: number
    backends: { in_flight: number }[]
  }
  return waiting + (backends[0]?.in_flight ?? 0)
}

test('50 events in hand over keep-alive and SIGTERM: all are answered, none is reset, then exit 0', async () => {
  await using inUse = await serverInUse(50, { tokensPerSecond: 500 })
  inUse.server.child.kill('SIGTERM')
  const answers = await inUse.answers
  const code = await inUse.server.ended
  expect(answers.filter(({ status }) => status === 'rejected')).toEqual([])
  const values = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  expect(values.map(({ status }) => status)).toEqual(values.map(() => 200))
  expect(code).toBe(0)
})

test('a terminal that closes (SIGHUP) drains, and SIGUSR1 opens no debugger', async () => {
  await using inUse = await serverInUse(1, { tokensPerSecond: 500 })
  let said = ''
  inUse.server.child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  inUse.server.child.kill('SIGUSR1')
  inUse.server.child.kill('SIGHUP')
  expect(await inUse.answers).toMatchObject([{ status: 'fulfilled', value: { status: 200 } }])
  expect(await inUse.server.ended).toBe(0)
  expect(said).not.toMatch(/debugger/i)
})

test('what outlives the drain time is answered shutting_down, and the exit is 0', async () => {
  await using inUse = await serverInUse(3, { tokensPerSecond: 1, environment: { AI_TICKET_DRAIN_MS: '200' } })
  inUse.server.child.kill('SIGINT')
  const answers = await inUse.answers
  expect(answers).toMatchObject(
    Array.from({ length: 3 }, () => ({ value: { status: 503, body: { error: 'shutting_down' } } })),
  )
  expect(await inUse.server.ended).toBe(0)
})

test('while it drains the port is open, probes hear 503 and new events shutting_down', async () => {
  await using inUse = await serverInUse(1, { tokensPerSecond: 0.2 })
  const { url, child } = inUse.server
  child.kill('SIGTERM')
  await inUse.server.waitForLine(/^SIGTERM: /)
  await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503)
  expect(await postEvent(url, new Agent())).toMatchObject({ status: 503, body: { error: 'shutting_down' } })
  expect((await fetch(`${url}/livez`)).status).toBe(200)
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const)('a second signal (%s) stops the backend, then ends with %i', async (signal, exitCode) => {
  await using inUse = await serverInUse(1, { tokensPerSecond: 0.2 })
  inUse.server.child.kill('SIGTERM')
  await inUse.server.waitForLine(/^SIGTERM: /)
  inUse.server.child.kill(signal)
  expect(await inUse.server.ended).toBe(exitCode)
  await inUse.simulator.waitFor(({ calls }) => calls[0]?.state === 'aborted')
})

test('a second signal does not wait for a backend that does not stop', async () => {
  await using inUse = await serverInUse(1, { tokensPerSecond: 0.2 })
  await inUse.simulator.setFaults([
    { fault: 'hang_before_headers', endpoint: 'abort' },
    { fault: 'hang_before_headers', endpoint: 'perf' },
  ])
  inUse.server.child.kill('SIGTERM')
  await inUse.server.waitForLine(/^SIGTERM: /)
  const from = performance.now()
  inUse.server.child.kill('SIGTERM')
  expect(await inUse.server.ended).toBe(143)
  // Without the limit it would go on for 15 s, until the backend counts as dead.
  expect(performance.now() - from).toBeLessThan(10_000)
})

test('a signal that comes while backends are still being asked ends the server without a word about them', async () => {
  const blackHole = createServer(() => {})
  await new Promise<void>((resolve) => blackHole.listen(0, '127.0.0.1', resolve))
  const address = blackHole.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await using server = await startServer(['--kobold-url', `http://127.0.0.1:${port}`])
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  blackHole.close()
  expect(server.lines.at(-1)).toMatchObject({ message: 'Closed.' })
})

test('a log that nobody reads any more does not keep the server from ending', async () => {
  const simulator = await startKoboldSimulator({})
  await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url })
  server.child.stdout?.removeAllListeners('data')
  server.child.stdout?.pause()
  const path = `/${'x'.repeat(200)}`
  for (let round = 0; round < 40; round++) {
    await Promise.all(Array.from({ length: 50 }, async () => (await fetch(server.url + path)).arrayBuffer()))
  }
  const exit = new Promise((resolve) => server.child.once('exit', resolve))
  server.child.kill('SIGTERM')
  expect(await exit).toBe(0)
  await simulator.close()
})
