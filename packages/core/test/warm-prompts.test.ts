import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

// What a desk believes that real servers keep, by what they report. A slow reader, so that times say something.
const READER = { promptTokensPerSecond: 4_000, tokensPerSecond: 1_000, answer: () => 'Well, well.' }
interface Message {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

const RULES = 'rule '.repeat(320)

async function openReaders(count: number, options: Partial<DispatcherOptions> = {}) {
  const simulators = await Promise.all(Array.from({ length: count }, () => startKoboldSimulator(READER)))
  let looks = 0
  const backends = simulators.map(({ url }, index) => {
    const backend = createKoboldBackend({ url, name: `b${index + 1}` })
    const probe = (signal: AbortSignal) => {
      looks += 1
      return backend.probe(signal)
    }
    return { ...backend, probe }
  })
  const dispatcher = createDispatcher({ backends, maxTokens: 8, probeTimeoutMs: 1_000, ...options })
  const ask = async (messages: Message[], signal?: AbortSignal) => {
    const outcome = await dispatcher.onEvent({ content: { messages } }, signal ? { signal } : {})
    if (outcome.error !== undefined) throw new Error(outcome.details)
    return { ...outcome, saved: outcome.attempts.at(-1)?.saved_prompt_tokens ?? 0 }
  }
  return {
    dispatcher,
    simulators: simulators as [KoboldSimulator, ...KoboldSimulator[]],
    ask,
    /** Resolves when the servers have been looked at once more: for a while, `health` tells what it has seen before. */
    async lookAgain() {
      const before = looks
      const look = async () => {
        await dispatcher.health()
        return looks
      }
      await expect.poll(look, { timeout: 30_000 }).toBeGreaterThan(before)
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await Promise.all(simulators.map((simulator) => simulator.close()))
    },
  }
}

const mail = (text: string): Message[] => [
  { role: 'system', content: RULES },
  { role: 'user', content: text },
]

/** Another program asks the same server. */
const askBehindTheDesk = ({ url }: KoboldSimulator) =>
  fetch(`${url}/api/v1/generate`, { method: 'POST', body: JSON.stringify({ prompt: 'x'.repeat(400) }) })

test('an attempt says how much of its prompt was kept, about as the server knows it', async () => {
  await using desk = await openReaders(1)
  expect((await desk.ask(mail('first'))).saved).toBe(0)
  const { saved } = await desk.ask(mail('second'))
  const [, second] = desk.simulators[0].calls
  expect(saved).toBeGreaterThan(300)
  expect(second?.promptTokensRead).toBeLessThan(60)
})

test('the next turn of a conversation goes on from the answer, on the backend that gave it', async () => {
  await using desk = await openReaders(3)
  const turns = mail('first question')
  const used = new Set<string>()
  for (let turn = 0; turn < 4; turn++) {
    const { backend, completion, saved } = await desk.ask(turns)
    used.add(backend)
    if (turn > 0) expect(saved).toBeGreaterThan(390)
    turns.push({ role: 'assistant', content: completion }, { role: 'user', content: `question ${turn}` })
  }
  expect([...used]).toHaveLength(1)
})

test('with overtakeMs 0 nothing is remembered', async () => {
  await using desk = await openReaders(1, { overtakeMs: 0 })
  await desk.ask(mail('first'))
  expect((await desk.ask(mail('second'))).saved).toBe(0)
})

test('a server that was restarted is cold', async () => {
  await using desk = await openReaders(1)
  await desk.ask(mail('first'))
  await desk.dispatcher.health()
  const [simulator] = desk.simulators
  await simulator.kill()
  await simulator.startListening()
  await desk.lookAgain()
  expect((await desk.ask(mail('second'))).saved).toBe(0)
})

test('a server that has loaded another model is cold', async () => {
  await using desk = await openReaders(1)
  await desk.ask(mail('first'))
  await desk.dispatcher.health()
  await desk.simulators[0].loadModel('koboldcpp/other')
  await desk.lookAgain()
  expect((await desk.ask(mail('second'))).saved).toBe(0)
})

test('a server that another program has used is cold', async () => {
  await using desk = await openReaders(1)
  await desk.dispatcher.health()
  await desk.ask(mail('first'))
  await askBehindTheDesk(desk.simulators[0])
  await desk.lookAgain()
  expect((await desk.ask(mail('second'))).saved).toBe(0)
})

test('a look at a server that only the desk has used leaves it warm', async () => {
  await using desk = await openReaders(1)
  await desk.dispatcher.health()
  await desk.ask(mail('first'))
  await desk.lookAgain()
  expect((await desk.ask(mail('second'))).saved).toBeGreaterThan(300)
})

test('a slot whose call was stopped while it read is cold', async () => {
  await using desk = await openReaders(1)
  const leaving = new AbortController()
  const left = desk.ask([...mail('first'), { role: 'user', content: 'x'.repeat(20_000) }], leaving.signal)
  await desk.simulators[0].waitForCall()
  leaving.abort(new Error('left'))
  await expect(left).rejects.toThrow('left')
  expect((await desk.ask(mail('second'))).saved).toBe(0)
})
