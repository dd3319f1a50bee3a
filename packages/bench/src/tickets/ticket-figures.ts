import { inTurns } from '../numbers/in-turns.ts'
import { median } from '../numbers/statistics.ts'
import type { StoreKind } from './bench-stores.ts'
import { fillStore } from './fill-store.ts'
import { measureAccepts } from './measure-accepts.ts'
import { measureBullmq } from './measure-bullmq.ts'
import { measureBusyShare } from './measure-busy-share.ts'
import { measureHttpAccepts } from './measure-http-accepts.ts'
import { type ListFigure, measureLists } from './measure-lists.ts'

export interface TicketBenchOptions {
  readonly kinds: readonly StoreKind[]
  readonly tickets: number
  readonly repeats: number
  readonly seconds: number
  readonly rounds: number
  readonly now: number
  readonly say: (what: string) => void
}

/** By the name of the store. */
type PerStore<Figure> = Readonly<Record<string, Figure>>

export interface TicketFigures {
  /** A second, 64 callers, each waiting for the disk; the median of the rounds. */
  readonly accepts: PerStore<number>
  /** A second, 64 connections, SQLite. */
  readonly httpAccepts: number
  readonly bullmq: Awaited<ReturnType<typeof measureBullmq>>
  readonly busyShare: PerStore<number>
  readonly tickets: number
  readonly lists: PerStore<readonly ListFigure[]>
}

const CALLERS = 64
const BUSY = { backlog: 1_000, slots: 4, windowMs: 30_000 }

export async function takeTicketFigures(options: TicketBenchOptions): Promise<TicketFigures> {
  const { kinds, tickets, repeats, now, rounds, say } = options
  const load = { callers: CALLERS, windowMs: options.seconds * 1_000 }
  say('accepts')
  const accepts = await inTurns(kinds, rounds, async (kind) => {
    await using opened = await kind.open()
    return await measureAccepts(opened.store, load)
  })
  say('accepts over HTTP')
  const http: number[] = []
  for (let round = 0; round < rounds; round++) {
    http.push(await measureHttpAccepts({ connections: CALLERS, windowMs: load.windowMs }))
  }
  const bullmq = await measureBullmq(load)
  if ('problem' in bullmq) say(`BullMQ is NOT measured: ${bullmq.problem}`)
  const busyShare: Record<string, number> = {}
  const lists: Record<string, readonly ListFigure[]> = {}
  for (const kind of kinds) {
    say(`a backlog on ${kind.name}`)
    await using busy = await kind.open()
    busyShare[kind.name] = await measureBusyShare(busy.store, BUSY)
    say(`${tickets} tickets on ${kind.name}`)
    await using full = await kind.open()
    await fillStore(full.store, { total: tickets, now, waiting: 1_000 })
    lists[kind.name] = await measureLists(full.store, { total: tickets, now, repeats })
  }
  const medians = Object.entries(accepts).map(([name, scores]) => [name, median(scores)])
  return {
    accepts: Object.fromEntries(medians),
    httpAccepts: median(http),
    bullmq,
    busyShare,
    tickets,
    lists,
  }
}
