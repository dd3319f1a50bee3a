import { describeChaos, judgeChaos, planChaos } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { runInProcess, runOverSocket, warmUp } from './run-chaos.ts'

// What real servers do to replies, composed by a seed, against a truth that the plan states. A failure prints plan and
// outcome; AI_TICKET_CHAOS_SEED=n runs that seed alone.
const LONG = process.env.AI_TICKET_LONG === '1'
const ONE = process.env.AI_TICKET_CHAOS_SEED
const seedsUpTo = (count: number) =>
  ONE ? [Number(ONE)] : Array.from({ length: count }, (_, index) => index + 1)
const IN_PROCESS = seedsUpTo(LONG ? 50_000 : 2_000)
const OVER_SOCKETS = seedsUpTo(LONG ? 2_000 : 120)
const AT_ONCE = 8

test(`${IN_PROCESS.length} plans of what servers do: the exact text or a failure, never less, never a hang`, {
  timeout: 1_200_000,
}, async () => {
  await warmUp()
  const broken: string[] = []
  for (const seed of IN_PROCESS) {
    const plan = planChaos(seed)
    const { left, ...seen } = await runInProcess(plan)
    const wrong = judgeChaos(plan, seen)
    if (left > 0) wrong.push(`${left} calls still run on the server.`)
    if (wrong.length > 0) broken.push([...wrong, describeChaos(plan, seen)].join('\n'))
    if (broken.length === 3) break
  }
  expect(broken.join('\n\n'), 'AI_TICKET_CHAOS_SEED=n runs one seed').toBe('')
})

test(`${OVER_SOCKETS.length} plans over sockets`, { timeout: 1_200_000 }, async () => {
  const seeds = OVER_SOCKETS.values()
  const broken: string[] = []
  const work = async () => {
    for (const seed of seeds) {
      const plan = planChaos(seed, { overSockets: true })
      const seen = await runOverSocket(plan)
      const wrong = judgeChaos(plan, seen)
      if (wrong.length > 0) broken.push([...wrong, describeChaos(plan, seen)].join('\n'))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect(broken.slice(0, 3).join('\n\n'), 'AI_TICKET_CHAOS_SEED=n runs one seed').toBe('')
})
