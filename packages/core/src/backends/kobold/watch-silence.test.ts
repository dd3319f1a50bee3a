import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { watchSilence } from './create-kobold-backend.ts'
import type { PerfAnswer, SideAnswer, SideChannel } from './side-channel.ts'

function startWatch(perf: () => SideAnswer<PerfAnswer>) {
  const clock = createVirtualClock()
  const looks: number[] = []
  const verdicts: string[] = []
  const side: Pick<SideChannel, 'perf'> = {
    perf: ({ timeoutMs }) => {
      looks.push(clock.now())
      const answer = perf()
      return new Promise((resolve) => {
        if (answer.as === 'silent') clock.setTimer(() => resolve(answer), timeoutMs)
        else resolve(answer)
      })
    },
  }
  const watch = watchSilence({
    clock,
    side,
    probeAfterMs: 10_000,
    deadAfterMs: 15_000,
    onVerdict: (verdict) => verdicts.push(`${verdict} at ${clock.now()}`),
  })
  return { clock, looks, verdicts, watch }
}

const said = (state: PerfAnswer['state']) =>
  ({ as: 'answered', value: { state, queue: 0, lastEnd: undefined, lastTokens: undefined } }) as const

test('nobody is asked before 10 s of silence', async () => {
  const { clock, looks, watch } = startWatch(() => said('busy'))
  await clock.advance(9000)
  watch.touch()
  await clock.advance(9999)
  expect(looks).toEqual([])
  await clock.advance(1)
  expect(looks).toEqual([19_000])
})

test('idle twice means that the request is lost', async () => {
  const { clock, verdicts } = startWatch(() => said('idle'))
  await clock.advance(12_999)
  expect(verdicts).toEqual([])
  await clock.advance(1)
  expect(verdicts).toEqual(['lost at 13000'])
  expect(clock.pending).toBe(0)
})

test('idle, busy, idle is patience', async () => {
  const answers = [said('idle'), said('busy'), said('idle'), said('busy')]
  const { clock, verdicts } = startWatch(() => answers.shift() ?? said('busy'))
  await clock.advance(3_600_000)
  expect(verdicts).toEqual([])
})

test('an hour of prompt reading is patience, with a look every few seconds', async () => {
  const { clock, looks, verdicts } = startWatch(() => said('busy'))
  await clock.advance(3_600_000)
  expect(verdicts).toEqual([])
  expect(looks.length).toBeGreaterThan(1000)
})

test('no answer for 15 s means dead', async () => {
  const { clock, verdicts } = startWatch(() => ({ as: 'silent' }))
  await clock.advance(24_999)
  expect(verdicts).toEqual([])
  await clock.advance(1)
  expect(verdicts).toEqual(['dead at 25000'])
})

test('refused counts as no answer', async () => {
  const { clock, verdicts } = startWatch(() => ({ as: 'refused' }))
  await clock.advance(24_999)
  expect(verdicts).toEqual([])
  await clock.advance(1)
  expect(verdicts).toEqual(['dead at 25000'])
})

test('an answer that cannot be read is a sign of life', async () => {
  const { clock, verdicts } = startWatch(() => said('unclear'))
  await clock.advance(600_000)
  expect(verdicts).toEqual([])
})

test('what comes while the server is asked starts the time anew', async () => {
  const { clock, looks, verdicts, watch } = startWatch(() => said('idle'))
  await clock.advance(11_000)
  watch.touch()
  await clock.advance(9999)
  expect(looks).toEqual([10_000])
  await clock.advance(1)
  expect(looks).toEqual([10_000, 21_000])
  expect(verdicts).toEqual([])
})

test('while the reader is busy there is no silence', async () => {
  const { clock, looks, watch } = startWatch(() => said('idle'))
  watch.pause()
  await clock.advance(600_000)
  expect(looks).toEqual([])
  watch.touch()
  await clock.advance(10_000)
  expect(looks).toHaveLength(1)
})

test('a stopped watch leaves no timer', async () => {
  const { clock, watch } = startWatch(() => said('busy'))
  await clock.advance(11_000)
  watch.stop()
  expect(clock.pending).toBe(0)
})
