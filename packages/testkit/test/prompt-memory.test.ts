import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { clientOf } from './kobold-client.ts'

// 400 characters are 100 of the simulator's tokens, and one more stands at the beginning of each prompt.
const A = 'a'.repeat(400)
const B = 'b'.repeat(400)
const quick = { tokensPerSecond: Number.POSITIVE_INFINITY, answer: () => 'fine' }

/** Sends the prompts one after another; tokens that were read of each. */
async function readOf(prompts: readonly string[], options: KoboldSimulatorOptions = {}): Promise<unknown[]> {
  await using simulator = await startKoboldSimulator({ ...quick, ...options })
  const { generate } = clientOf(simulator)
  for (const prompt of prompts) await generate({ prompt })
  return simulator.calls.map(({ promptTokensRead }) => promptTokensRead)
}

test('facts 50 and 59: a prompt is read only from where it differs from the last one', async () => {
  expect(await readOf([A, A, `${A}more`, B, A])).toEqual([101, 1, 2, 101, 101])
})

test('the answer is kept behind its prompt: the next turn goes on from there', async () => {
  expect(await readOf([A, `${A}fine${B}`])).toEqual([101, 101])
  expect(await readOf([A, `${A}else${B}`])).toEqual([101, 102])
})

test('fact 50: with --smartcache further prompts are kept, and the one used longest ago goes first', async () => {
  expect(await readOf([A, B, A, B], { smartcache: 2 })).toEqual([101, 101, 1, 1])
  const others = ['c', 'd', 'e', 'f', 'g'].map((letter) => letter.repeat(400))
  expect((await readOf([A, ...others, A], { smartcache: 2 })).at(-1)).toBe(101)
  expect((await readOf([A, ...others, A], { smartcache: 1 })).at(-1)).toBe(1)
})

test('fact 60: perf tells of all tokens, and a time that nobody waited for', async () => {
  await using simulator = await startKoboldSimulator({ ...quick, promptTokensPerSecond: 2_000 })
  const { generate, perf } = clientOf(simulator)
  await generate({ prompt: A })
  await generate({ prompt: `${A}${'x'.repeat(76)}` })
  const { last_input_count, last_process_time, last_process_speed, last_process } = await perf()
  expect(simulator.calls[1]?.promptTokensRead).toBe(20)
  expect(last_input_count).toBe(120)
  expect(last_process_speed).toBeCloseTo(2_000)
  expect(last_process).toBeCloseTo(0.5)
  expect(last_process_time).toBeCloseTo(0.06)
})

test('fact 62: what was read before an abort stays', async () => {
  await using simulator = await startKoboldSimulator({ ...quick, promptTokensPerSecond: 100 })
  const { generate, abort } = clientOf(simulator)
  const answer = generate({ prompt: A.repeat(50), genkey: 'long' })
  await simulator.waitForCall()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await abort('long')
  await answer
  void generate({ prompt: A.repeat(50) }).catch(() => {})
  const again = await simulator.waitForCall(2)
  await simulator.waitFor(() => again.promptTokensRead !== undefined)
  expect(again.promptTokensRead).toBeLessThan(5_001)
  await simulator.kill()
})

test('fact 55: another process, or another model, keeps nothing and counts from the beginning', async () => {
  await using simulator = await startKoboldSimulator(quick)
  const { generate, perf } = clientOf(simulator)
  await generate({ prompt: A })
  await simulator.loadModel('koboldcpp/other')
  expect(await perf()).toMatchObject({ total_gens: 0 })
  await generate({ prompt: A })
  expect(simulator.calls[1]?.promptTokensRead).toBe(101)
})
