import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { eventLines, openBatchFolder } from '../test/batch-folder.ts'

test('two backends of one slot each are busy from the first line to the last', async () => {
  // Half a second each.
  const slow = { tokensPerSecond: 12, answer: () => 'one two three four five six' }
  await using one = await startKoboldSimulator(slow)
  await using two = await startKoboldSimulator(slow)
  const batch = await openBatchFolder(eventLines(80), { KOBOLDCPP_API_URL: `${one.url},${two.url}` })
  expect((await batch.run()).code).toBe(0)
  const all = [one.calls, two.calls]
  const begin = Math.min(...all.flat().map(({ runningAt = 0 }) => runningAt))
  // From there on there is only one line left.
  const end = Math.min(...all.map((calls) => Math.max(...calls.map(({ endedAt = 0 }) => endedAt))))
  for (const calls of all) {
    const times = calls.map(({ runningAt = 0, endedAt = 0 }) =>
      Math.max(0, Math.min(endedAt, end) - runningAt),
    )
    const busy = times.reduce((sum, time) => sum + time, 0) / (end - begin)
    expect(busy).toBeGreaterThan(0.98)
  }
})
