import { writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { eventLines, openBatchFolder } from './batch-folder.ts'
import { startServer } from './run-program.ts'

const LONG = process.env.AI_TICKET_LONG === '1'
const KILLS = LONG ? 20 : 3
const seed = Number(process.env.AI_TICKET_SEED ?? Date.now())
/** A line that is no event now and then, so that both files grow. */
const linesOf = (count: number) => eventLines(count).replaceAll(/^.*"Number \d*7".*$/gm, 'no json')
const SLOTS = 2
/** Six tokens: about 60 ms. */
const SPEED = { tokensPerSecond: 100, answer: () => 'one two three four five six' }

function createRandom(state: number): () => number {
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('what a killed run has left generating is stopped by the next one', async () => {
  // The first answer would take 100 s, the others are one token.
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: 10,
    answer: ({ text }) => (text.includes('Number 1') ? 'word'.repeat(1_000) : 'ok'),
  })
  const batch = await openBatchFolder(eventLines(3), {
    KOBOLDCPP_API_URL: simulator.url,
    LOG_LEVEL: 'silent',
  })
  const { child, ended } = batch.start()
  await simulator.waitFor(() => simulator.calls.length === 1)
  child.kill('SIGKILL')
  await ended
  expect(simulator.calls[0]).toMatchObject({ state: 'running' })
  await writeFile(batch.input, eventLines(4).replace(/^.*\n/, ''))
  expect(await batch.run('--overwrite')).toMatchObject({ code: 0 })
  expect(simulator.calls[0]).toMatchObject({ state: 'aborted' })
  expect(await batch.answers()).toHaveLength(3)
})

test.each(['in process', 'through a server'])(
  `killed ${KILLS} times, every line has one result, %s (AI_TICKET_SEED=${seed})`,
  async (mode) => {
    const random = createRandom(seed)
    await using one = await startKoboldSimulator(SPEED)
    await using two = await startKoboldSimulator(SPEED)
    const calls = () => one.calls.length + two.calls.length
    const environment = { KOBOLDCPP_API_URL: `${one.url},${two.url}`, LOG_LEVEL: 'silent' }
    await using server =
      mode === 'in process' ? undefined : await startServer([], { ...environment, LOG_LEVEL: 'info' })
    const args = server === undefined ? [] : ['--server', server.url]
    const count = KILLS * 14
    const batch = await openBatchFolder(linesOf(count), environment)
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = batch.start(...args)
      const before = calls()
      const enough = before + 1 + Math.floor(random() * 8)
      await Promise.race([ended, one.waitFor(() => calls() >= enough), two.waitFor(() => calls() >= enough)])
      await pause(random() * 80)
      child.kill('SIGKILL')
      await ended
    }
    const { code } = await batch.run(...args)
    const [answers, errors] = [await batch.answers(), await batch.errors()]
    const results = [...answers, ...errors].map(({ line }) => line ?? 0)
    expect(results.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    expect(answers.every(({ line, id }) => id === `e${line}`)).toBe(true)
    expect(code).toBe(65)
    // Through a server not even what was in hand is asked twice.
    expect(calls()).toBeLessThanOrEqual(answers.length + (server === undefined ? KILLS * SLOTS : 0))
    expect(calls()).toBeGreaterThanOrEqual(answers.length)
  },
  120_000,
)
