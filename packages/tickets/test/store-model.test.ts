import { createVirtualClock, type VirtualClock } from '@ai-ticket/testkit'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { createSqliteStore, type Ticket, type TicketStatus, type TicketStore } from '../src/index.ts'
import { createPostgresStore } from '../src/postgres.ts'
import { newTicket } from './new-ticket.ts'
import { pgliteStore } from './open-pglite-store.ts'
import { sharedPglite } from './pglite-database.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from './real-postgres.ts'
import { ANSWER, REFUSAL } from './ticket-store-contract.ts'

/** What must be true, in the plainest form: a map. It knows nothing of how a store does it. */
interface ModelTicket {
  readonly id: string
  status: TicketStatus
  /** Order of acceptance. */
  readonly number: number
  readonly sender: string
  readonly priority: number
  readonly createdAt: number
  dueAt: number
  /** By which its place in line is reckoned. */
  placedAt: number
  retries: number
  readonly expiresAt: number
  key: string | undefined
  claims: number
  wantsCancel: boolean
  /** Tickets of its event, run anew. */
  readonly replays: string[]
}

interface Model {
  readonly tickets: Map<string, ModelTicket>
  /** When each sender was served last. */
  readonly served: Map<string, number>
  now: number
  session: number
}

interface Real {
  readonly store: TicketStore
  readonly clock: VirtualClock
  /** Claims by ticket, the newest last; older ones are stale. */
  readonly claims: Map<string, Ticket[]>
}

type Command = fc.AsyncCommand<Model, Real>

const AGEING_MS = 30_000
const TTL_MS = 60_000
const ids = (tickets: readonly { readonly id: string }[]) => tickets.map(({ id }) => id)
const owner = (session: number) => ({ worker: 'w', session: `s${session}` })
const newest = (real: Real, id: string) => real.claims.get(id)?.at(-1)
const held = ({ tickets }: Model) => [...tickets.values()].filter(({ status }) => status === 'in_progress')

const command = (name: string, run: (model: Model, real: Real) => Promise<void>): Command => ({
  check: () => true,
  run,
  toString: () => name,
})

const submit = fc
  .record({
    sender: fc.constantFrom('a', 'a', 'b', 'c'),
    priority: fc.integer({ min: -2, max: 2 }),
    delay: fc.constantFrom(0, 0, 5_000),
    life: fc.constantFrom(undefined, undefined, 20_000),
    key: fc.constantFrom(undefined, undefined, 'a', 'b'),
  })
  .map((given) =>
    command(`submit ${JSON.stringify(given)}`, async (model, { store }) => {
      const { sender, priority, delay, life, key } = given
      const expiresAt = life === undefined ? Number.POSITIVE_INFINITY : model.now + life
      const accepted = await store.accept(
        newTicket({
          sender,
          priority,
          notBefore: model.now + delay,
          ...(life === undefined ? {} : { expiresAt }),
          ...(key === undefined ? {} : { idempotency: { scope: '', key, fingerprint: 'f', ttlMs: TTL_MS } }),
        }),
      )
      const known = [...model.tickets.values()].find((one) => key !== undefined && one.key === key)
      if (known && model.now < known.createdAt + TTL_MS) {
        expect(accepted).toMatchObject({ type: 'existing', ticket: { id: known.id } })
        return
      }
      if (known) known.key = undefined
      if (accepted.type !== 'created') throw new Error(`not created: ${accepted.type}`)
      model.tickets.set(accepted.ticket.id, {
        id: accepted.ticket.id,
        status: 'queued',
        number: model.tickets.size,
        sender,
        priority,
        createdAt: model.now,
        dueAt: model.now + delay,
        placedAt: model.now + delay,
        retries: 0,
        expiresAt,
        key,
        claims: 0,
        wantsCancel: false,
        replays: [],
      })
    }),
  )

const tick = fc.constantFrom(1, 5_000, 31_000, 61_000).map((ms) =>
  command(`tick ${ms}`, async (model, { clock }) => {
    await clock.advance(ms)
    model.now += ms
  }),
)

const rank = (one: ModelTicket) => one.placedAt - one.priority * AGEING_MS

/** Each sender stands in line with its first ticket, and its wait counts from its last turn. */
function nextTickets({ tickets, served, now }: Model): readonly ModelTicket[] {
  const due = [...tickets.values()]
    .filter(({ status, dueAt }) => status === 'queued' && dueAt <= now)
    .toSorted((one, other) => rank(one) - rank(other) || one.number - other.number)
  const first = [...Map.groupBy(due, ({ sender }) => sender).values()].flatMap(([head]) => head ?? [])
  const score = (one: ModelTicket) =>
    Math.max(rank(one), (served.get(one.sender) ?? 0) - one.priority * AGEING_MS)
  const lowest = Math.min(...first.map(score))
  return first.filter((one) => score(one) === lowest)
}

const claim = fc.integer({ min: 1, max: 3 }).map((limit) =>
  command(`claim ${limit}`, async (model, real) => {
    const claimed = await real.store.claim({ owner: owner(model.session), leaseMs: 600_000, limit })
    for (const { id } of claimed) {
      // Of those who have waited equally long, any may be first.
      const next = nextTickets(model).find((one) => one.id === id)
      expect(next, `${id} came before ${ids(nextTickets(model))}`).toBeDefined()
      if (!next) continue
      next.status = 'in_progress'
      next.claims += 1
      model.served.set(next.sender, model.now)
    }
    if (claimed.length < limit) expect(nextTickets(model)).toEqual([])
    for (const ticket of claimed) real.claims.set(ticket.id, [...(real.claims.get(ticket.id) ?? []), ticket])
  }),
)

/** Ends, gives back or cancels one of the tickets; which one is a number drawn beforehand. */
const onOne = (
  name: string,
  among: (model: Model) => readonly ModelTicket[],
  act: (one: ModelTicket, model: Model, real: Real) => Promise<void>,
) =>
  fc.nat(100).map((draw) =>
    command(`${name} ${draw}`, async (model, real) => {
      const some = among(model)
      const one = some[draw % Math.max(1, some.length)]
      if (one) await act(one, model, real)
    }),
  )

const settle = (name: string, outcome: typeof ANSWER | typeof REFUSAL) =>
  onOne(name, held, async (one, _model, real) => {
    const fence = newest(real, one.id)
    expect(fence && (await real.store.settle(fence, outcome))).toBe(true)
    one.status = outcome.error === undefined ? 'completed' : 'failed'
  })

const retry = onOne('retry', held, async (one, model, real) => {
  const fence = newest(real, one.id)
  const release = { reason: 'retry', pauseMs: 5_000 } as const
  expect(fence && (await real.store.release(fence, release))).toBe(true)
  one.status = one.wantsCancel ? 'cancelled' : 'queued'
  one.dueAt = model.now + 5_000
  one.placedAt = one.dueAt
  one.retries += 1
})

const everybody = ({ tickets }: Model) => [...tickets.values()]

const cancel = onOne('cancel', everybody, async (one, _model, { store }) => {
  await store.cancel(one.id)
  if (one.status === 'queued') one.status = 'cancelled'
  else if (one.status === 'in_progress') one.wantsCancel = true
})

const replay = onOne('replay', everybody, async (one, model, { store }) => {
  const { sender, priority } = one
  const accepted = await store.accept(newTicket({ sender, priority, replayOf: one.id }))
  if (accepted.type !== 'created') throw new Error(`not created: ${accepted.type}`)
  const { id } = accepted.ticket
  model.tickets.set(id, {
    id,
    status: 'queued',
    number: model.tickets.size,
    sender,
    priority,
    createdAt: model.now,
    dueAt: model.now,
    placedAt: model.now,
    retries: 0,
    expiresAt: Number.POSITIVE_INFINITY,
    key: undefined,
    claims: 0,
    wantsCancel: false,
    replays: [],
  })
  one.replays.push(id)
  expect(ids((await store.list({ replayOf: one.id })).tickets)).toEqual(one.replays.toReversed())
})

const stale = onOne('settle with a stale claim', everybody, async (one, _model, { store, claims }) => {
  const former = claims.get(one.id)?.at(one.status === 'in_progress' ? -2 : -1)
  if (former) expect(await store.settle(former, ANSWER)).toBe(false)
})

const crash = fc.constant(
  command('crash', async (model, real) => {
    model.session += 1
    const request = { owner: owner(model.session), leaseMs: 600_000, limit: 1_000 }
    const adopted = await real.store.adopt(request)
    expect(ids(adopted).toSorted()).toEqual(ids(held(model)).toSorted())
    for (const ticket of adopted) {
      real.claims.set(ticket.id, [...(real.claims.get(ticket.id) ?? []), ticket])
      expect(await real.store.release(ticket, { reason: 'crashed' })).toBe(true)
      const one = model.tickets.get(ticket.id)
      if (!one) continue
      one.status = one.wantsCancel ? 'cancelled' : 'queued'
      one.dueAt = one.createdAt
      one.placedAt = one.createdAt
    }
  }),
)

const expire = fc.constant(
  command('expire', async (model, { store }) => {
    const due = everybody(model).filter(
      ({ status, expiresAt }) => status === 'queued' && expiresAt <= model.now,
    )
    expect(await store.expire()).toBe(due.length)
    for (const one of due) one.status = 'failed'
  }),
)

const compare = fc.constant(
  command('compare', async (model, { store }) => {
    const counts = { queued: 0, in_progress: 0, completed: 0, failed: 0, cancelled: 0 }
    for (const one of model.tickets.values()) {
      counts[one.status] += 1
      const ticket = await store.get(one.id)
      expect(ticket).toMatchObject({ runs: one.claims, state: { status: one.status } })
    }
    expect((await store.stats()).byStatus).toEqual(counts)
    const listed = (await store.list({ limit: 200 })).tickets
    expect(ids(listed)).toEqual(ids(everybody(model)).toReversed())
  }),
)

const ALL = [
  submit,
  submit,
  tick,
  claim,
  claim,
  settle('answer', ANSWER),
  settle('refuse', REFUSAL),
  retry,
  cancel,
]

const isLong = process.env.AI_TICKET_LONG === '1'

interface ModelledStore {
  readonly name: string
  readonly open: (clock: VirtualClock) => Promise<TicketStore>
  /** How often a list of commands is made up and followed, on a store of its own. */
  readonly runs: { readonly short: number; readonly long: number }
}

function describeModel({ name, open, runs }: ModelledStore): void {
  it(`behaves like a map on ${name}, whatever happens in whatever order`, async () => {
    const commands = fc.commands([...ALL, replay, stale, crash, expire, compare], { size: '+1' })
    await fc.assert(
      fc.asyncProperty(commands, async (list) => {
        const clock = createVirtualClock()
        await using store = await open(clock)
        const setup = () => ({
          model: {
            tickets: new Map<string, ModelTicket>(),
            served: new Map<string, number>(),
            now: clock.wallTime(),
            session: 0,
          },
          real: { store, clock, claims: new Map<string, Ticket[]>() },
        })
        await fc.asyncModelRun(setup, list)
      }),
      { numRuns: isLong ? runs.long : runs.short },
    )
  }, 240_000)
}

describeModel({
  name: 'SQLite',
  open: async (clock) => createSqliteStore({ directory: ':memory:', clock }),
  runs: { short: 200, long: 2_000 },
})

describeModel({
  name: 'PGlite',
  open: async (clock) => pgliteStore(await sharedPglite(), { clock }),
  runs: { short: 5, long: 100 },
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to compare a PostgreSQL with a map', () => {})
} else {
  afterAll(dropSchemas)
  describeModel({
    name: 'a PostgreSQL',
    open: (clock) => createPostgresStore({ connectionString, schema: newSchema(), clock }),
    runs: { short: 10, long: 200 },
  })
}
