// A process whose disk fails: argument of the tests of that. It says what the store has promised, and what is there.
import { writeSync } from 'node:fs'
import { createSqliteStore, StoreUnavailable, type Ticket, type TicketStore } from '../src/index.ts'
import { DiskControl, type Fault } from './faulty-disk.ts'
import { newTicket } from './new-ticket.ts'
import { ANSWER } from './ticket-store-contract.ts'

const { DIRECTORY = '', CONTROL = '', ROUNDS = '[]' } = process.env
const control = new DiskControl(CONTROL)
const LEASE = { owner: { worker: 'w1', session: 's1' }, leaseMs: 3_600_000 }

/** At once, for the next write may be the last one. */
const say = (word: string, value: unknown) => writeSync(1, `${word} ${JSON.stringify(value)}\n`)

export interface Round {
  readonly fault: Fault
  readonly after: number
  /** The store is opened before the disk fails. */
  readonly isOpen?: boolean
  /** The power fails at the end of the round; a fault is over as soon as it was met, and what was refused is tried again. */
  readonly cutsPower?: boolean
  /** The process is killed as soon as it has told of a refusal. */
  readonly dies?: boolean
}

let round: Round = { fault: 'healthy', after: 0 }

/** Undefined: refused. */
async function ask<Value>(what: string, work: () => Promise<Value>): Promise<Value | undefined> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const problem = error instanceof StoreUnavailable ? error.problem : undefined
      say(problem === undefined ? 'bug' : 'refused', { what, problem, error: String(error) })
      // Those of the same commit are refused in the same turn.
      if (round.dies) setImmediate(() => process.kill(process.pid, 'SIGKILL'))
      if (problem === undefined || !round.cutsPower || control.met === 0) return undefined
      control.set('healthy')
    }
  }
}

const answerTo = (eventId: string) => ({ ...ANSWER, id: eventId, completion: `${eventId} `.repeat(400) })

async function story(store: TicketStore, name: string): Promise<void> {
  const eventIds = [1, 2, 3].map((number) => `${name}_${number}`)
  await Promise.all(
    eventIds.map(async (eventId) => {
      const ticket = newTicket({ eventId, event: { id: eventId, content: 'Why? '.repeat(300) } })
      const accepted = await ask(`accept ${eventId}`, () => store.accept(ticket))
      if (accepted) say('did', { what: `accept ${eventId}` })
    }),
  )
  await store
    .record([{ event: null, eventId: `${name}_h`, caller: '', createdAt: 1, finishedAt: 1, outcome: ANSWER }])
    .catch(() => {})
  const claimed = (await ask('claim', () => store.claim({ ...LEASE, limit: 2 }))) ?? []
  for (const { eventId } of claimed) say('did', { what: `claim ${eventId}` })
  const [first, second] = claimed
  if (first) {
    await ask(`save ${first.eventId}`, () => store.saveProgress(first, { partial: 'Because' }))
    const { eventId } = first
    if (await ask(`settle ${eventId}`, () => store.settle(first, answerTo(eventId))))
      say('did', { what: `settle ${eventId}` })
  }
  if (second) {
    const { eventId } = second
    if (await ask(`release ${eventId}`, () => store.release(second, { reason: 'interrupted' })))
      say('did', { what: `release ${eventId}` })
    const cancelled = await ask(`cancel ${eventId}`, () => store.cancel(second.id))
    if (cancelled) say('did', { what: `cancel ${eventId}` })
  }
}

const shownAs = ({ eventId, state }: Ticket) => ({
  eventId,
  status: state.status,
  ...('outcome' in state && 'completion' in state.outcome ? { completion: state.outcome.completion } : {}),
})

for (const [index, next] of (JSON.parse(ROUNDS) as Round[]).entries()) {
  round = next
  const name = `r${index}_${next.after}`
  say('round', { ...next, name })
  if (!next.isOpen) control.set(next.fault, next.after)
  let store = await ask('open', async () => createSqliteStore({ directory: DIRECTORY }))
  if (next.isOpen) control.set(next.fault, next.after)
  if (store) await story(store, name)
  if (round.cutsPower) {
    control.set('power cut')
    await store?.accept(newTicket({ eventId: `${name}_dark` }))
  }
  const problem = await store?.problem()
  say('met', { times: control.met, problem: problem?.problem })
  control.set('healthy')
  if (store && (await store.problem())) say('bug', { what: 'The disk is well again, and the store is not.' })
  if (index % 2 === 0) {
    await store?.close()
    store = undefined
  }
  store ??= createSqliteStore({ directory: DIRECTORY })
  const later = await ask('accept later', () => store.accept(newTicket({ eventId: `${name}_later` })))
  if (later?.type !== 'created') say('bug', { what: 'The disk is well again, and nothing is accepted.' })
  else say('did', { what: `accept ${name}_later` })
  const { tickets } = await store.list({ limit: 200, createdFrom: 2 })
  say('shown', tickets.filter(({ eventId }) => eventId.startsWith(`${name}_`)).map(shownAs))
  // Nothing of this round is left for the next one to claim.
  for (const ticket of tickets) await store.cancel(ticket.id)
  await store.close()
}
say('ended', {})
