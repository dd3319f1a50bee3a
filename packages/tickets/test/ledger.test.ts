import { expect, it } from 'vitest'
import { runLedger } from './ledger.ts'

const KILLS = process.env.AI_TICKET_LONG === '1' ? 30 : 10
const seed = Number(process.env.AI_TICKET_SEED ?? 20261122)

it(`loses nothing that was accepted, killed ${KILLS} times (AI_TICKET_SEED=${seed})`, async () => {
  const report = await runLedger({ kills: KILLS, seed })
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBeGreaterThan(KILLS)
  expect(report.crashes).toBeGreaterThan(0)
  expect(report.longestRestartMs).toBeLessThan(2_000)
}, 300_000)

it('would find a 202 that is sent before the commit', async () => {
  const environment = { BREAK: 'ack_before_commit' }
  const { violations } = await runLedger({ kills: 2, seed, environment })
  expect(violations.join('\n')).toMatch(/was acknowledged and is lost/)
}, 120_000)

// Accept, claim, announce the call, settle: each is a commit, and the server dies before and after each.
it.each([1, 2, 3, 4, 5, 6].flatMap((number) => [`commit:${number}`, `committed:${number}`]))(
  'recovers from a death at %s',
  async (DIE_AT) => {
    const report = await runLedger({ kills: 1, seed, environment: { DIE_AT } })
    expect(report.violations).toEqual([])
  },
  60_000,
)
