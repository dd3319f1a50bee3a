import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { createProgress, progressBar } from './progress.ts'

test('the bar fits its terminal, and a server can move no cursor with it', () => {
  const state = { total: 200, done: 50, failed: 3, perSecond: 0.5, waitingFor: undefined }
  expect(progressBar(state, 100)).toBe(
    '[======                  ] 50/200, 3 failed, 30.0 lines/min, 5 min 0 s left',
  )
  expect(progressBar(state, 30)).toHaveLength(29)
  expect(progressBar({ ...state, total: undefined, waitingFor: 'No \x1b[2Jone.' }, 100)).toBe(
    '50 done, 3 failed, 30.0 lines/min, No one.',
  )
})

test('without a terminal: a plain line every ten seconds, and at once why it waits', async () => {
  const clock = createVirtualClock()
  const written: string[] = []
  const stream = { write: (text: string) => written.push(text) }
  using progress = createProgress({ stream, style: 'lines', clock, total: 10, done: 2, failed: 0 })
  await clock.advance(5_000)
  progress.finished('answered')
  progress.finished('failed')
  await clock.advance(5_000)
  const now = clock.now()
  const outage = { since: now, nextTryAt: now + 4_000, delayMs: 4_000, details: 'kobold is away.' }
  progress.waiting(outage)
  progress.waiting({ ...outage, nextTryAt: now + 12_000 })
  await clock.advance(10_000)
  expect(written).toEqual([
    '4/10, 1 failed, 12.0 lines/min, 30 s left\n',
    'kobold is away. Next try in 4 s\n',
    '4/10, 1 failed, 6.0 lines/min, kobold is away. Next try in 2 s, waiting for 10 s\n',
  ])
})
