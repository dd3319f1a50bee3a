import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteStore, StoreUnavailable, type TicketStatus, type TicketStore } from '../../src/index.ts'
import type { SimulatedProcess } from './process.ts'
import type { SeenTicket } from './story.ts'
import type { Database, WorldParts } from './world.ts'

/** Of all commits so many are empty that only one in this many is made to end badly. */
const COMMITS_WITH_A_FATE = 5

/** The product's own store on a file, so that the model of it is not only what we believe. */
export function fileSqlite({ clock, story, fate, capacity }: WorldParts): Database {
  const folder = mkdtempSync(join(tmpdir(), 'simulation-'))
  const directory = join(folder, 'data')
  let current: { readonly process: SimulatedProcess; readonly store: TicketStore } | undefined
  let reader: DatabaseSync | undefined
  let seen = new Map<string, SeenTicket>()
  let version: unknown
  let isFull = false
  let commits = 0

  async function open(process: SimulatedProcess): Promise<TicketStore> {
    // The kernel takes the lock from the dead; the living keep it.
    if (current && !current.process.isAlive) await current.store.close()
    let end: ReturnType<typeof fate> = 'well'
    const store = createSqliteStore({
      ...{ directory, clock: process.clock, capacity },
      onStep(step) {
        if (step === 'committed') {
          note(process)
          if (end === 'die_behind') process.die()
          return
        }
        if (!process.isAlive) throw new Error('A dead process writes nothing.')
        if (isFull) throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
        commits += 1
        end = commits % COMMITS_WITH_A_FATE === 0 ? fate(process) : 'well'
        if (end !== 'die_before') return
        process.die()
        throw new Error('The process died before this commit.')
      },
    })
    current = { process, store }
    reader ??= new DatabaseSync(join(directory, 'tickets.db'), { readOnly: true })
    return store
  }

  /** What the commit has changed, seen by another reader of the file. */
  function note(by: SimulatedProcess): void {
    const now = reader?.prepare('PRAGMA data_version').get()?.data_version
    if (reader === undefined || now === version) return
    version = now
    const rows = reader.prepare(`SELECT ${COLUMNS} FROM tickets`).all().map(seenRow)
    const after = new Map(rows.map((row) => [row.id, row] as const))
    for (const id of new Set([...seen.keys(), ...after.keys()])) {
      const [before, next] = [seen.get(id), after.get(id)]
      if (JSON.stringify(before) === JSON.stringify(next)) continue
      story.commits.push({ at: clock.now(), by, ...(before && { before }), ...(next && { after: next }) })
    }
    seen = after
  }

  /** Reads by the store of the process; where it has ended in good order, by another, one reader after the other. */
  async function read<Value>(look: (store: TicketStore) => Promise<Value>): Promise<Value> {
    for (;;) {
      try {
        if (current) return await look(current.store)
      } catch (error) {
        if (!isProblem(error, 'closed')) throw error
      }
      try {
        await using store = createSqliteStore({ directory, clock })
        return await look(store)
      } catch (error) {
        // Another reader, or a process that has started meanwhile.
        if (!isProblem(error, 'locked')) throw error
      }
      await new Promise(setImmediate)
    }
  }

  const tickets = (store: TicketStore) => store.list({ limit: 200 }).then((page) => page.tickets)
  return {
    open,
    isAway: () => isFull,
    tickets: () => read(async (store) => (await tickets(store)).toReversed()),
    deliveries: () =>
      read(async (store) => {
        const ids = (await tickets(store)).map(({ id }) => id)
        return [...(await store.callbacks.find(ids)).values()]
      }),
    shiftMs: (process) => process.machine.shiftMs,
    setFull(full) {
      isFull = full
    },
    setClock: () => {},
    setDown: () => {},
    async close() {
      await current?.store.close()
      reader?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const isProblem = (error: unknown, problem: string) =>
  error instanceof StoreUnavailable && error.problem === problem

const COLUMNS = `id, event_id, status, token, crashes, retries, created_at, session, lease_until, finished_at, outcome,
  callback_url, not_before, paused_at`

function seenRow(row: Readonly<Record<string, unknown>>): SeenTicket {
  const status = String(row.status) as TicketStatus
  const text = (name: string, value: unknown) => (value === null ? {} : { [name]: String(value) })
  const number = (name: string, value: unknown) => (value === null ? {} : { [name]: Number(value) })
  return {
    ...{ id: String(row.id), eventId: String(row.event_id), status },
    ...{ token: Number(row.token), crashes: Number(row.crashes), retries: Number(row.retries) },
    createdAt: Number(row.created_at),
    ...(status === 'in_progress'
      ? { ...text('session', row.session), ...number('leaseUntil', row.lease_until) }
      : {}),
    ...(status === 'queued'
      ? { ...number('notBefore', row.not_before), isPaused: row.paused_at !== null }
      : {}),
    ...number('finishedAt', row.finished_at),
    ...text('outcome', row.outcome),
    ...text('callbackUrl', row.callback_url),
  }
}
