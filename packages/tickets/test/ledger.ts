import { setTimeout as pause } from 'node:timers/promises'
import { createChoice, type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { type Receiver, startCallbackReceiver } from './callback-receiver.ts'
import { type Audit, audit, toldOf } from './ledger-audit.ts'
import { type LedgerBook, newBook, sendEvents, sendUnanswered, untilDone } from './ledger-clients.ts'
import { prepareServers, type Server, urlOf } from './ledger-servers.ts'
import { type LedgerStore, openLedgerStore } from './ledger-store.ts'
import type { CrashPoint } from './watch-operations.ts'

export interface LedgerOptions {
  readonly store: LedgerStore
  /** How often the server is killed under load, at moments that chance picks. */
  readonly kills?: number
  /** Then it dies at each of these, in this order. */
  readonly crashPoints?: readonly CrashPoint[]
  readonly seed: number
  /** One of `MISTAKES`. */
  readonly mistake?: string
}

export interface LedgerReport extends Audit {
  readonly acknowledged: number
  /**
   * From the restart of a server with a backlog to the arrival of the first generation, the longest of all, in milliseconds:
   * the processor time that loading the program took, and what passed after that.
   */
  readonly longestRestartMs: number
}

const CLIENTS = 2
/** Longer than a desk takes between finding what a dead process held and giving it back, however busy the machine is. */
const IDLE_MS = 20_000
const CALLBACKS_MS = 60_000

/** Kills a server under load again and again, and then holds what clients were told against what is on disk. */
export async function runLedger(options: LedgerOptions): Promise<LedgerReport> {
  const { store, kills = 0, crashPoints = [], seed, mistake } = options
  let isFinishing = false
  // Long while servers die, so that a death leaves a generation behind; then what is left is done soon.
  const answer = () => (isFinishing ? 'one' : 'one two three four five six seven eight nine ten')
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 150, answer })
  await using receiver = await startCallbackReceiver(200)
  const { next: random } = createChoice(seed)
  const book = newBook()
  await using servers = prepareServers({
    STORE: JSON.stringify(store),
    SIMULATOR: simulator.url,
    RECEIVER: `${receiver.url}/ended`,
    ...(mistake === undefined ? {} : { MISTAKE: mistake }),
  })
  let longestRestartMs = 0
  for (let kill = 0; kill < kills; kill++) {
    const isRecovering = kill > 0 && random() < 0.25
    const server = await servers.next()
    if (isRecovering) await killAfter(server, random() * 150)
    else {
      // The first dies during its first generation, whatever chance says.
      const afterMs = kill === 0 ? 0 : random() * 150
      const restartMs = await killUnderLoad(server, { simulator, book, afterMs })
      if (kill > 0) longestRestartMs = Math.max(longestRestartMs, restartMs)
    }
  }
  if (crashPoints.length > 0 && kills === 0) {
    await killUnderLoad(await servers.next(), { simulator, book, afterMs: 150 })
  }
  for (const crashPoint of crashPoints) await dieAt(await servers.next(crashPoint), { book, crashPoint })
  isFinishing = true
  // One with a mistake has violations enough without waiting for callbacks of lost tickets.
  const [waitMs, idleMs] = mistake === undefined ? [CALLBACKS_MS, IDLE_MS] : [0, IDLE_MS / 10]
  await finish(await servers.next(), { book, receiver, waitMs, idleMs })
  await using opened = await openLedgerStore(store)
  return {
    acknowledged: book.told.size,
    longestRestartMs,
    ...(await audit(opened, book, { simulator, receiver })),
  }
}

/** Gives back how long it took from its start to its first generation. */
async function killUnderLoad(
  server: Server,
  { simulator, book, afterMs }: { simulator: KoboldSimulator; book: LedgerBook; afterMs: number },
): Promise<number> {
  const before = simulator.calls.length
  const stop = new AbortController()
  const clients = clientsOf(server, book, stop.signal)
  const died = server.child.ended.then(() => {
    throw new Error(`The server ended by itself: ${server.child.errors()}`)
  })
  await Promise.race([simulator.waitFor(({ calls }) => calls.length > before), died])
  died.catch(() => {})
  const calledAt = simulator.calls[before]?.startedAt ?? Number.POSITIVE_INFINITY
  await killAfter(server, afterMs)
  stop.abort()
  await clients
  return server.loadMs + calledAt - server.startedAt
}

async function killAfter({ child }: Server, ms: number): Promise<void> {
  if (ms > 0) await pause(ms)
  await child.kill('SIGKILL')
}

async function dieAt(
  server: Server,
  { book, crashPoint }: { book: LedgerBook; crashPoint: string },
): Promise<void> {
  const stop = new AbortController()
  const clients = clientsOf(server, book, stop.signal)
  const reached = await Promise.race([server.child.ended, pause(60_000, 'no')])
  await server.child.kill('SIGKILL')
  stop.abort()
  await clients
  if (reached === 'no') throw new Error(`The server never came to ${crashPoint}.`)
}

/** A server that dies before it listens has no clients. */
async function clientsOf(server: Server, book: LedgerBook, signal: AbortSignal): Promise<void> {
  const url = await urlOf(server).catch(() => undefined)
  if (url === undefined) return
  await Promise.all(Array.from({ length: CLIENTS }, () => sendEvents(url, book, signal)))
}

async function finish(
  server: Server,
  {
    book,
    receiver,
    waitMs,
    idleMs,
  }: { book: LedgerBook; receiver: Receiver; waitMs: number; idleMs: number },
): Promise<void> {
  const url = await urlOf(server)
  await sendUnanswered(url, book)
  await untilDone(url, idleMs)
  // What a dead server was sending is sent again when its lease is over.
  await Promise.race([receiver.waitFor(() => toldOf(receiver).size >= book.told.size), pause(waitMs)])
  await server.child.kill('SIGKILL')
}
