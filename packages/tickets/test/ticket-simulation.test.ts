import { expect, test, vi } from 'vitest'
import type { CallbackReply } from '../src/callbacks/post-callback.ts'
import { fileSqlite } from './simulation/file-sqlite.ts'
import { judgeWorld } from './simulation/judge.ts'
import type { Kind } from './simulation/plan.ts'
import { type AskedPost, type SimulationParts, simulate } from './simulation/simulate.ts'

// Desk, sender, history and the rules of tickets on models of both stores, in virtual time. The seed decides what happens;
// a failure prints it, and AI_TICKET_SIMULATION_SEED=n runs that one alone.
const LONG = process.env.AI_TICKET_LONG === '1'
const ONE = process.env.AI_TICKET_SIMULATION_SEED
const seedsTo = (last: number) =>
  ONE ? [Number(ONE)] : Array.from({ length: last }, (_, index) => index + 1)

const receivers = vi.hoisted(() => ({
  answer: async (_post: unknown): Promise<number> => {
    throw new Error('There is no world.')
  },
}))

// In the place of the network.
vi.mock('../src/callbacks/post-callback.ts', async (original) => ({
  ...(await original<typeof import('../src/callbacks/post-callback.ts')>()),
  createCallbackPoster: () => ({
    async post(given: {
      url: URL
      headers: Readonly<Record<string, string>>
      body: string
      signal: AbortSignal
    }): Promise<CallbackReply> {
      const { url, headers, body, signal } = given
      const number = Number(headers['user-agent']?.split('/')[1])
      const webhookId = headers['webhook-id'] ?? ''
      return { status: await receivers.answer({ url: url.href, webhookId, body, number, signal }) }
    },
    close: async () => {},
  }),
}))

const answerPosts = (answer: (post: AskedPost) => Promise<number>) => {
  receivers.answer = answer as typeof receivers.answer
}

async function tryOut(kind: Kind, last: number, parts: Omit<SimulationParts, 'answerPosts'> = {}) {
  for (const seed of seedsTo(last)) {
    const violations = judgeWorld(await simulate(seed, kind, { ...parts, answerPosts }))
    expect(violations, `AI_TICKET_SIMULATION_SEED=${seed} fails on ${kind}`).toEqual([])
  }
}

test.each<[Kind, number]>([
  ['sqlite', LONG ? 10_000 : 500],
  ['postgres', LONG ? 12_000 : 500],
])('on a model of %s, %i seeds: no promise is broken', { timeout: 1_200_000 }, tryOut)

const FILES = LONG ? 200 : 8
test(`on the SQLite store itself, ${FILES} seeds: the same`, { timeout: 1_200_000 }, async () => {
  await tryOut('sqlite_file', FILES, { openDatabase: fileSqlite })
})
