import { type Backend, createDispatcher } from '@ai-ticket/core'
import { expect, test } from 'vitest'

/** Answers in the order of its calls, one each time `answerNext` is called. */
function slowBackend() {
  const waiting: (() => void)[] = []
  const asked: string[] = []
  const backend: Backend = {
    name: 'slow',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    async *generate(_endpoint, { turns }) {
      asked.push(String(turns[0]?.content))
      await new Promise<void>((resolve) => waiting.push(resolve))
      yield { type: 'end', text: 'Fine.', finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  const answerNext = async () => {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    waiting.shift()?.()
  }
  return { backend, asked, answerNext }
}

test('one caller with a full line keeps no other out: its newest event gives up its place', async () => {
  const { backend, asked, answerNext } = slowBackend()
  const dispatcher = createDispatcher({ backends: [backend], lineCapacity: 4 })
  const greedy = Array.from({ length: 50 }, (_, index) =>
    dispatcher.onEvent({ content: `greedy ${index}` }, { caller: 'greedy' }),
  )
  const others = ['one', 'two'].map((caller) => dispatcher.onEvent({ content: caller }, { caller }))
  const late = dispatcher.onEvent({ content: 'two again' }, { caller: 'two' })
  for (let event = 0; event < 5; event++) await answerNext()
  const outcomes = await Promise.all(greedy)
  const answered = outcomes.flatMap((outcome, index) => (outcome.error !== undefined ? [] : [index]))
  const codes = new Set(outcomes.flatMap((outcome) => (outcome.error !== undefined ? [outcome.error] : [])))
  expect(answered).toEqual([0, 1, 2])
  expect([...codes]).toEqual(['capacity_exceeded'])
  expect(outcomes.every((outcome) => outcome.error === undefined || (outcome.retry_after_ms ?? 0) > 0)).toBe(
    true,
  )
  for (const outcome of await Promise.all(others)) expect(outcome).toHaveProperty('completion')
  // With two events each, nobody has more than the others, and the line is full.
  expect(await late).toMatchObject({ error: 'capacity_exceeded' })
  expect(asked).toEqual(['greedy 0', 'greedy 1', 'one', 'two', 'greedy 2'])
  await dispatcher.close()
})

test('one key with 2,000 open requests lets another one wait for its turn, and no longer', async () => {
  const { backend, asked, answerNext } = slowBackend()
  const dispatcher = createDispatcher({ backends: [backend] })
  const leaving = new AbortController()
  const greedy = Array.from({ length: 2_000 }, (_, index) =>
    dispatcher
      .onEvent({ content: `greedy ${index}` }, { caller: 'greedy', signal: leaving.signal })
      .catch(() => undefined),
  )
  await expect.poll(() => dispatcher.report().line.waiting).toBe(1_000)
  await expect.poll(() => asked.length).toBe(1)
  const turns: number[] = []
  for (let event = 0; event < 20; event++) {
    const before = asked.length
    const answer = dispatcher.onEvent({ content: `other ${event}` }, { caller: 'other' })
    let isAnswered = false
    void answer.then(() => {
      isAnswered = true
    })
    // Each answer of the backend lets the next begin.
    while (!isAnswered && asked.length - before < 50) {
      await answerNext()
      await new Promise((resolve) => setImmediate(resolve))
    }
    turns.push(asked.indexOf(`other ${event}`) - before)
    expect(await answer).toHaveProperty('completion')
  }
  process.stdout.write(`Beside 2,000 open requests, others began after ${turns.join(', ')} of them.\n`)
  // One has its turn before, and nobody a second one.
  for (const turn of turns) expect(turn).toBeLessThanOrEqual(1)
  leaving.abort()
  await dispatcher.close()
  await Promise.all(greedy)
})
