import { StoreUnavailable, type Ticket, type TicketStore } from '../../src/index.ts'
import { deliveriesOf } from '../../src/ticket/delivery.ts'
import { createWriteWatch } from '../../src/ticket/store-unavailable.ts'
import { createHub } from '../../src/ticket/ticket-store.ts'
import { ModelRows } from './model-rows.ts'
import { createModelStatements } from './model-statements.ts'
import { modelStore, noteCommit } from './model-store.ts'
import { never, type SimulatedProcess } from './process.ts'
import type { Database, WorldParts } from './world.ts'

/** One file, one process, one disk. Nothing happens between the start of a commit and its end, except that it fails or is the last. */
export function modelSqlite({ clock, story, fate, capacity }: WorldParts): Database {
  const rows = new ModelRows()
  let holder: SimulatedProcess | undefined
  let isFull = false

  async function open(process: SimulatedProcess): Promise<TicketStore> {
    if (holder?.isAlive) throw new StoreUnavailable('locked', 'Another process uses the tickets.')
    holder = process
    const hub = createHub()
    const due = createHub()
    const watch = createWriteWatch()
    let isClosed = false
    const now = () => Math.trunc(process.clock.wallTime())
    const statements = createModelStatements({ rows, now, capacity })

    async function commit<Value>(work: () => Value): Promise<Value> {
      // The group of this turn.
      await undefined
      if (!process.isAlive) return await never()
      if (isClosed) throw new StoreUnavailable('closed', 'The ticket store is closed.')
      try {
        if (isFull) throw new StoreUnavailable('full', 'The disk is full.')
        const value = work()
        const end = rows.hasChanged ? fate(process) : 'well'
        if (end === 'die_before') {
          rows.rollBack()
          process.die()
          return await never()
        }
        noteCommit(story, { at: clock.now(), by: process, changes: rows.commit() })
        if (end === 'die_behind') {
          process.die()
          return await never()
        }
        watch.succeeded()
        return value
      } catch (error) {
        rows.rollBack()
        throw watch.failed(error)
      }
    }

    async function read<Value>(work: () => Value): Promise<Value> {
      if (isClosed) throw new StoreUnavailable('closed', 'The ticket store is closed.')
      return work()
    }

    return modelStore(
      {
        now,
        async write(work) {
          const changed: Ticket[] = []
          const value = await commit(() => {
            const result = work((tickets) => changed.push(...tickets))
            for (const delivery of deliveriesOf(changed)) statements.insertDelivery(delivery)
            return result
          })
          hub.tell(changed.map(({ id }) => id))
          due.tell(deliveriesOf(changed).map(({ ticketId }) => ticketId))
          return value
        },
        writeSilently: commit,
        read,
        holdName: async () => {},
        checkName: () => {},
        adjust: async () => {},
        keepFresh: async () => {},
        setMsAgo: () => Number.POSITIVE_INFINITY,
        problem: () => watch.problem({ look: () => read(() => {}), probe: () => commit(() => {}) }),
        hub,
        due,
        async close() {
          isClosed = true
          if (holder === process) holder = undefined
        },
      },
      statements,
    )
  }

  return {
    open,
    isAway: () => isFull,
    tickets: async () => [...rows.tickets.values()],
    deliveries: async () => [...rows.deliveries.values()],
    shiftMs: (process) => process.machine.shiftMs,
    setFull(full) {
      isFull = full
    },
    setClock: () => {},
    setDown: () => {},
    close: async () => {},
  }
}
