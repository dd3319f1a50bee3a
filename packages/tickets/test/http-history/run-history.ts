import { setTimeout as pause } from 'node:timers/promises'
import { type Choice, createChoice, startKoboldSimulator } from '@ai-ticket/testkit'
import type { TicketStore } from '../../src/index.ts'
import { startCallbackReceiver } from '../callback-receiver.ts'
import { toldOf } from '../ledger-audit.ts'
import { prepareServers, type Server, urlOf } from '../ledger-servers.ts'
import { type LedgerStore, openLedgerStore } from '../ledger-store.ts'
import { openRoad } from '../postgres-road.ts'
import { actAsClient, askOnceMore, noteCallbacks } from './clients.ts'
import { type HttpHistory, newHistory } from './history.ts'

export interface HistoryRunOptions {
  readonly store: LedgerStore
  readonly servers: 1 | 2
  readonly troubles: number
  readonly seed: number
  /** One of `MISTAKES`. */
  readonly mistake?: string
}

type Road = Awaited<ReturnType<typeof openRoad>>

const TROUBLES = ['kill', 'cut', 'at_commit', 'at_commit', 'hole', 'slow'] as const
const CLIENTS = 3
const CALLBACKS_MS = 60_000
/** Longer than a server is away after the worst of troubles. */
const TOLD_MS = 30_000
/** Longer than a claim lasts that nobody has heard of. */
const END_MS = 120_000

/** Servers under kills and, where PostgreSQL is behind a road, under cuts and holes; and all that their clients saw. */
export async function runHistory(options: HistoryRunOptions): Promise<HttpHistory> {
  const { store, servers: count, troubles, seed, mistake } = options
  const choice = createChoice(seed)
  const history = newHistory()
  await using receiver = await startCallbackReceiver(200)
  await using stack = new AsyncDisposableStack()
  const slots: Slot[] = []
  for (let index = 0; index < count; index++) {
    const simulator = stack.use(
      await startKoboldSimulator({ tokensPerSecond: 400, answer: () => 'one two three' }),
    )
    const road = store.type === 'postgres' ? stack.use(await openRoad(store.connectionString)) : undefined
    const servers = stack.use(
      prepareServers({
        STORE: JSON.stringify(road ? { ...store, connectionString: road.url } : store),
        SIMULATOR: simulator.url,
        RECEIVER: `${receiver.url}/ended`,
        WORKER: `server ${index}`,
        ...(mistake === undefined ? {} : { MISTAKE: mistake }),
      }),
    )
    slots.push(stack.use(new Slot(servers, road)))
  }
  const stop = new AbortController()
  await Promise.all(slots.map((slot) => slot.start()))
  const addresses = () => slots.flatMap(({ url }) => url ?? [])
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    actAsClient(history, { choice: createChoice(seed * 100 + index), addresses, signal: stop.signal }),
  )
  for (let trouble = 0; trouble < troubles; trouble++) {
    await pause(choice.between(50, 400))
    await untilTold(history, trouble + 1)
    await makeTrouble(choice, choice.pick(slots))
  }
  await pause(200)
  await untilTold(history, troubles + 1)
  stop.abort()
  await Promise.all(clients)
  for (const slot of slots) await slot.heal()
  const [url = ''] = addresses()
  await askOnceMore(history, url)
  const ended = await untilAllEnded(url, mistake === undefined ? END_MS : 0)
  // What a dead server was sending is sent again when its lease is over.
  await Promise.race([
    receiver.waitFor(() => toldOf(receiver).size >= ended),
    pause(mistake === undefined ? CALLBACKS_MS : 0),
  ])
  for (const slot of slots) await slot[Symbol.asyncDispose]()
  await using opened = await openLedgerStore(store)
  history.records.push(...(await readAll(opened)))
  noteCallbacks(history, receiver)
  return history
}

/** Resolves when clients were told of so many tickets, which a busy machine takes its time for, or when the time is up. */
async function untilTold({ sent }: HttpHistory, tickets: number): Promise<void> {
  const told = () => new Set(sent.flatMap(({ ticketId }) => ticketId ?? [])).size
  for (const until = performance.now() + TOLD_MS; told() < tickets && performance.now() < until; )
    await pause(20)
}

/** Resolves with the number of tickets when all have ended, on whatever server, or when the time is up. */
async function untilAllEnded(url: string, patienceMs: number): Promise<number> {
  for (const until = performance.now() + patienceMs; ; ) {
    const response = await fetch(`${url}/tickets/stats`)
    const stats = (await response.json()) as Record<string, number>
    const { queued = 0, in_progress = 0, completed = 0, failed = 0, cancelled = 0 } = stats
    // A server whose connections to PostgreSQL were cut just now refuses to count.
    const haveEnded = response.ok && queued + in_progress === 0
    if (haveEnded || performance.now() > until) return completed + failed + cancelled
    await pause(50)
  }
}

async function makeTrouble(choice: Choice, slot: Slot): Promise<void> {
  const { road } = slot
  const kind = road === undefined ? 'kill' : choice.pick(TROUBLES)
  switch (kind) {
    case 'kill':
      return await slot.restart()
    case 'cut':
      return road?.cut()
    case 'at_commit':
      return road?.breakAtCommit(choice.pick(['before', 'behind', 'silent']))
    case 'hole':
      road?.fallSilent()
      await pause(choice.between(100, 2_000))
      return road?.cut()
    case 'slow':
      road?.delay(choice.between(5, 80))
      await pause(choice.between(200, 1_000))
      return road?.delay(0)
  }
}

/** One of the servers, which is started again whenever it is gone. */
class Slot {
  url: string | undefined
  readonly road: Road | undefined
  readonly #servers: ReturnType<typeof prepareServers>
  #server: Server | undefined

  constructor(servers: ReturnType<typeof prepareServers>, road: Road | undefined) {
    this.#servers = servers
    this.road = road
  }

  async start(): Promise<void> {
    // One that cannot reach its store ends, and somebody starts it again.
    for (let tried = 0; tried < 20 && this.url === undefined; tried++) {
      this.#server = await this.#servers.next()
      this.url = await urlOf(this.#server).catch(() => undefined)
    }
    if (this.url === undefined) throw new Error(`A server does not start: ${this.#server?.child.errors()}`)
  }

  async restart(): Promise<void> {
    await this.#server?.child.kill('SIGKILL')
    this.url = undefined
    await this.start()
  }

  /** Where all is well again, a server that has ended by itself is started again. */
  async heal(): Promise<void> {
    this.road?.delay(0)
    this.road?.cut()
    const isGone = this.#server?.child.process.exitCode !== null
    if (isGone) await this.restart()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.child.kill('SIGKILL')
  }
}

async function readAll(store: TicketStore): Promise<HttpHistory['records']> {
  const found: HttpHistory['records'] = []
  let cursor: string | undefined
  do {
    const page = await store.list({ limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    for (const { id, eventId, state } of page.tickets) {
      const outcome = 'outcome' in state ? { outcome: JSON.stringify(state.outcome) } : {}
      found.push({ id, eventId, status: state.status, ...outcome })
    }
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return found
}
