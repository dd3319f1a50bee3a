import type { Choice } from '@ai-ticket/testkit'
import {
  createCallbackPolicy,
  createCallbackSender,
  createHistory,
  createTicketDesk,
  StoreUnavailable,
  type Ticket,
  type TicketDesk,
  type TicketStore,
} from '../../src/index.ts'
import type { SimulatedProcess } from './process.ts'
import { scriptedDispatcher } from './scripted-dispatcher.ts'
import type { Story } from './story.ts'
import type { Database } from './world.ts'

/** Receivers of callbacks; the poster of the test knows them by these names. */
export const RECEIVERS = ['http://one.test/ended', 'http://two.test/ended'] as const

export interface ServerTuning {
  readonly leaseMs: number
  readonly concurrency: number
  /** How many finished tickets are kept. */
  readonly keep: number | undefined
}

export interface RunningServer {
  readonly process: SimulatedProcess
  readonly store: TicketStore
  readonly desk: TicketDesk
  readonly freeSlots: () => number
  close(drainMs: number): Promise<void>
}

const SECRET = `whsec_${Buffer.alloc(32, 'a secret for tests').toString('base64')}`
const POLICY = createCallbackPolicy({ allow: RECEIVERS })

export interface ServerParts {
  readonly database: Database
  readonly choice: Choice
  readonly story: Story
  readonly tuning: ServerTuning
  readonly isFaulty: () => boolean
}

/** Store, desk, sender and history, as the program puts them together. */
export async function startServer(
  process: SimulatedProcess,
  { database, choice, story, tuning, isFaulty }: ServerParts,
): Promise<RunningServer> {
  const opened = await process.guard(() => database.open(process))
  const store = watched(opened, process, story)
  const { clock } = process
  const random = choice.next
  const dispatcher = scriptedDispatcher({ process, choice, story, isFaulty, concurrency: tuning.concurrency })
  const desk = createTicketDesk({
    ...{ store, dispatcher, clock, random, worker: process.worker, leaseMs: tuning.leaseMs },
    retryDelaysMs: RETRY_DELAYS_MS,
  })
  const sender = createCallbackSender({
    ...{ store, clock, random, policy: POLICY, secrets: [SECRET], version: String(process.number) },
    ...{ timeoutMs: 4_000, leaseMs: 6_000, scheduleMs: [0, 1_000, 5_000, 20_000] },
  })
  const { keep } = tuning
  const history = createHistory({ store, clock, mode: 'off', ...(keep === undefined ? {} : { keep }) })
  const close = async (drainMs: number) => {
    process.isServing = false
    await Promise.all([desk.close({ drainMs }), sender.close({ drainMs }), history.close()])
    await store.close()
    process.die()
  }
  try {
    await process.guard(() => desk.start())
  } catch (error) {
    await close(0)
    throw error
  }
  sender.start()
  process.isServing = true
  return { process, store, desk, close, freeSlots: () => dispatcher.freeSlots()[0]?.free ?? 0 }
}

/** Pauses between runs. */
export const RETRY_DELAYS_MS = [2_000, 10_000, 30_000]

/** The store as the process has it: nothing comes after its death, and the story learns of its claims. */
function watched(store: TicketStore, process: SimulatedProcess, story: Story): TicketStore {
  const { guard } = process
  const call = guard.bind(process)
  const heard = async (work: () => Promise<readonly Ticket[]>) => {
    const tickets = await call(work)
    for (const { id, token } of tickets)
      story.heardClaims.set(`${id} ${token}`, { by: process, at: process.clock.now() })
    return tickets
  }
  const known = <Given extends { readonly owner: { readonly session: string } }>(given: Given): Given => {
    process.session = given.owner.session
    return given
  }
  return {
    ...store,
    async holdName(worker) {
      await call(() => store.holdName(worker))
      process.startedAt = process.clock.now()
    },
    accept: (given) => call(() => store.accept(given)),
    record: (entries) => call(() => store.record(entries)),
    claim: (given) => heard(() => store.claim(known(given))),
    adopt: (given) => heard(() => store.adopt(known(given))),
    heartbeat: (fences, leaseMs) => call(() => store.heartbeat(fences, leaseMs)),
    saveProgress: (fence, progress) => call(() => store.saveProgress(fence, progress)),
    settle: (fence, outcome) => call(() => store.settle(fence, outcome)),
    release: (fence, release) => call(() => store.release(fence, release)),
    cancel: (id) => call(() => store.cancel(id)),
    expire: () => call(() => store.expire()),
    get: (id) => call(() => store.get(id)),
    peek: (id) => call(() => store.peek(id)),
    list: (query) => call(() => store.list(query)),
    nextDueInMs: () => call(() => store.nextDueInMs()),
    prune: (request) => call(() => store.prune(request)),
    problem: () => call(() => store.problem()),
    callbacks: {
      ...store.callbacks,
      claim: (request) => call(() => store.callbacks.claim(request)),
      record: (fence, attempt, verdict) =>
        call(async () => {
          const isHeld = await store.callbacks.record(fence, attempt, verdict)
          const { ticketId } = fence
          story.recordedPosts.push({ at: process.clock.now(), ticketId, status: verdict.status, isHeld })
          return isHeld
        }),
      resend: (id) => call(() => store.callbacks.resend(id)),
      nextDueInMs: () => call(() => store.callbacks.nextDueInMs()),
      pending: () => call(() => store.callbacks.pending()),
      dead: (limit) => call(() => store.callbacks.dead(limit)),
    },
  }
}

export const isUnavailable = (error: unknown): error is StoreUnavailable => error instanceof StoreUnavailable
