import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { ClaimLoop } from './claim-loop.ts'

function openLoop({ pauseMs = 1_000 } = {}) {
  const clock = createVirtualClock()
  const claims: PromiseWithResolvers<void>[] = []
  const errors: unknown[] = []
  const loop = new ClaimLoop({
    clock,
    claim() {
      const claim = Promise.withResolvers<void>()
      claims.push(claim)
      return claim.promise
    },
    pauseMs: async () => pauseMs,
    failed: (error) => errors.push(error),
    retryMs: 5_000,
  })
  return { clock, claims, errors, loop }
}

it('claims once more for all who asked during a claim, and then after the pause', async () => {
  const { clock, claims, loop } = openLoop()
  const opened = loop.open()
  void loop.ask()
  void loop.ask()
  expect(claims).toHaveLength(1)
  claims[0]?.resolve()
  await clock.advance(0)
  expect(claims).toHaveLength(2)
  claims[1]?.resolve()
  await opened
  await clock.advance(999)
  expect(claims).toHaveLength(2)
  await clock.advance(1)
  expect(claims).toHaveLength(3)
})

it('tries again after a failure', async () => {
  const { clock, claims, errors, loop } = openLoop()
  const opened = loop.open()
  claims[0]?.reject(new Error('no disk'))
  await opened
  expect(errors).toEqual([new Error('no disk')])
  await clock.advance(5_000)
  expect(claims).toHaveLength(2)
})

it('closes when its work has ended, or when the time is up', async () => {
  for (const { endsAfterMs, closedAfterMs } of [
    { endsAfterMs: 10, closedAfterMs: 10 },
    { endsAfterMs: 500, closedAfterMs: 100 },
  ]) {
    const { clock, claims, loop } = openLoop()
    const opened = loop.open()
    claims[0]?.resolve()
    await opened
    loop.run(new Promise((resolve) => clock.setTimer(resolve, endsAfterMs)))
    expect(loop.running).toBe(1)
    let isClosed = false
    void loop.close(100).then(() => {
      isClosed = true
    })
    await clock.advance(closedAfterMs - 1)
    expect(isClosed).toBe(false)
    await clock.advance(1)
    expect(isClosed).toBe(true)
    await loop.ask()
    await clock.advance(10_000)
    expect(claims).toHaveLength(1)
  }
})
