import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KoboldSimulator, startKoboldSimulator } from '@ai-ticket/testkit'
import { createSqliteStore, type Ticket } from '../src/index.ts'
import { isFinished } from '../src/ticket.ts'
import { type Child, runChild } from './run-child.ts'

export interface LedgerOptions {
  /** How often the server is killed under load. */
  readonly kills: number
  readonly seed: number
  readonly environment?: Readonly<Record<string, string>>
}

export interface LedgerReport {
  readonly acknowledged: number
  /** Runs whose process died. */
  readonly crashes: number
  /** From the start of listening to the first generation, the longest of all restarts with a backlog. */
  readonly longestRestartMs: number
  /** What must not be; empty: every promise was kept. */
  readonly violations: readonly string[]
}

const SERVER = new URL('./ledger-server.ts', import.meta.url)
const CLIENTS = 4

/** Kills a server under load again and again, and then holds what clients were told against what is on disk. */
export async function runLedger({ kills, seed, environment = {} }: LedgerOptions): Promise<LedgerReport> {
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: 1_000,
    answer: () => 'one two three four five',
  })
  const directory = join(mkdtempSync(join(tmpdir(), 'ledger-')), 'data')
  const start = (more: Readonly<Record<string, string>> = {}) =>
    runChild(SERVER, { ...more, DIRECTORY: directory, SIMULATOR: simulator.url })
  const random = createRandom(seed)
  const acknowledged: string[] = []
  let longestRestartMs = 0
  for (let kill = 0; kill < kills; kill++) {
    const child = start(environment)
    const url = await urlOf(child)
    const hasBacklog = kill > 0
    const restarted = hasBacklog ? timeToFirstCall(simulator) : Promise.resolve(0)
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      postUntilGone(url, `${kill}-${client}`, acknowledged),
    )
    longestRestartMs = Math.max(longestRestartMs, await restarted)
    await new Promise((resolve) => setTimeout(resolve, 50 + random() * 400))
    await child.kill('SIGKILL')
    await Promise.all(clients)
  }
  const last = start()
  await untilDone(await urlOf(last))
  await last.kill('SIGTERM')
  return { acknowledged: acknowledged.length, longestRestartMs, ...(await audit(directory, acknowledged)) }
}

const urlOf = async (child: Child) => `http://127.0.0.1:${(await child.line('listening ')).split(' ')[1]}`

async function timeToFirstCall(simulator: KoboldSimulator): Promise<number> {
  const since = performance.now()
  const before = simulator.calls.length
  await simulator.waitFor(({ calls }) => calls.length > before)
  return performance.now() - since
}

/** Sends event after event until the server is gone; writes down what was acknowledged. */
async function postUntilGone(url: string, name: string, acknowledged: string[]): Promise<void> {
  for (let number = 0; ; number++) {
    const id = `evt_${name}-${number}`
    try {
      const response = await fetch(`${url}/event`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'respond-async', 'idempotency-key': id },
        body: JSON.stringify({ id, content: 'Count.' }),
      })
      if (response.status !== 202) throw new Error(`not accepted: ${response.status}`)
      acknowledged.push(id)
      await response.text()
      await new Promise((resolve) => setTimeout(resolve, 20))
    } catch {
      return
    }
  }
}

async function untilDone(url: string): Promise<void> {
  for (;;) {
    const stats = (await (await fetch(`${url}/tickets/stats`)).json()) as {
      queued: number
      in_progress: number
    }
    if (stats.queued + stats.in_progress === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function audit(directory: string, acknowledged: readonly string[]) {
  await using store = createSqliteStore({ directory })
  const violations: string[] = []
  let crashes = 0
  for (const id of acknowledged) {
    const { tickets } = await store.list({ eventId: id })
    const [ticket] = tickets
    if (ticket === undefined) violations.push(`${id} was acknowledged and is lost`)
    else if (tickets.length > 1) violations.push(`${id} has ${tickets.length} tickets`)
    else violations.push(...violationsOf(ticket))
    crashes += ticket?.crashes ?? 0
  }
  return { violations, crashes }
}

function violationsOf(ticket: Ticket): string[] {
  const { eventId, runs, retries, crashes, attempts, state } = ticket
  const found: string[] = []
  if (!isFinished(ticket)) found.push(`${eventId} has not ended`)
  if (state.status !== 'completed') found.push(`${eventId} is ${state.status}`)
  if (runs !== 1 + retries + crashes) found.push(`${eventId} ran ${runs} times for ${crashes} crashes`)
  const answers = attempts.filter(({ result }) => result === 'completed')
  if (answers.length !== 1) found.push(`${eventId} has ${answers.length} answers`)
  return found
}

/** mulberry32: the same numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
