import { createKoboldBackend } from '@ai-ticket/core'
import { backendConformance } from '@ai-ticket/testkit/conformance'
import { describe, expect, test } from 'vitest'
import { koboldDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'

const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ')

/** Two desks in a row: our own backend for KoboldCPP asks a desk, which asks the simulator. */
async function openRow() {
  const door = await openDoor(koboldDoor, { simulator: { tokensPerSecond: 100, answer: () => words } })
  return { door, backend: createKoboldBackend({ url: door.url }) }
}

describe.concurrent('our own backend before another desk', () => {
  const duties = backendConformance({
    async open() {
      const { door, backend } = await openRow()
      return {
        backend,
        lastPrompt: () => JSON.stringify(door.simulator.calls.at(-1)?.body),
        isQuiet: () => !door.simulator.generating && door.simulator.waiting === 0,
        close: () => door[Symbol.asyncDispose](),
      }
    },
    async openDead() {
      const { door, backend } = await openRow()
      await door[Symbol.asyncDispose]()
      return { backend }
    },
    // Guards against what hangs, beside other tests on a busy machine.
    stopMs: 15_000,
    answerMs: 30_000,
  })
  for (const { name, run } of duties) test(name, run)
})

test.each(['chat', 'text', 'native'])(
  'an abort at the first desk reaches the last GPU within a second: %s',
  async (name) => {
    await using door = await openDoor(koboldDoor, { simulator: { tokensPerSecond: 20, answer: () => words } })
    const backend = createKoboldBackend({ url: door.url })
    const endpoint = backend.endpoints.find((one) => one.name === name)
    if (endpoint === undefined) throw new Error(`no endpoint ${name}`)
    const abort = new AbortController()
    const request = {
      key: 'outer-1',
      turns: [{ role: 'user' as const, content: 'Tell me a story.' }],
      parameters: { max_tokens: 400, temperature: 0.7, top_p: 1 },
    }
    const asked = (async () => {
      for await (const _ of backend.generate(endpoint, request, { signal: abort.signal, stream: false }));
    })().catch((error: unknown) => error)
    await door.simulator.waitFor(({ generating }) => generating)
    const abortedAt = performance.now()
    abort.abort()
    await door.simulator.waitFor(({ generating }) => !generating)
    expect(await asked).toMatchObject({ kind: 'aborted' })
    const [call] = door.simulator.calls
    expect(call).toMatchObject({ state: 'aborted' })
    // Beside other tests a machine may take any time.
    if (process.env.AI_TICKET_LONG) expect((call?.endedAt ?? 0) - abortedAt).toBeLessThan(1_000)

    await backend.close()
  },
)
