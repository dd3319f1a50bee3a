import { type Clock, systemClock } from '@ai-ticket/core'

/** A row as it comes: texts, numbers, booleans, nulls; 8-byte integers as text or number, as the client likes. */
export type Row = Readonly<Record<string, unknown>>

/** Takes statements: a pool, or one transaction. */
export interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

/** The parts of PostgreSQL that the store needs, so that one in the process (PGlite) can stand in for it in tests. */
export interface Database extends Queryable {
  /** Commits when the work resolves, rolls back when it rejects. */
  transaction<Value>(work: (transaction: Queryable) => Promise<Value>): Promise<Value>
  /** Calls back with every message on the channel. Mends its connection by itself. */
  listen(channel: string, onMessage: (message: string) => void): Promise<Listening>
  close(): Promise<void>
}

export interface Listening {
  close(): Promise<void>
}

/** Servers whose clocks disagree must agree on when a lease is over: they all go by the clock of the database. */
export interface DatabaseTime {
  now(): number
  /** Looks at the database's clock again. */
  adjust(at: Queryable): Promise<void>
}

export function createDatabaseTime(): DatabaseTime {
  let offsetMs = 0
  return {
    now: () => Math.trunc(systemClock.wallTime() + offsetMs),
    async adjust(at) {
      const asked = systemClock.wallTime()
      const [row] = await at.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now')
      const answered = systemClock.wallTime()
      offsetMs = Number(row?.now) - (asked + answered) / 2
    },
  }
}

/** For tests: the time of a clock that was handed in. */
export const timeOf = (clock: Clock): DatabaseTime => ({
  now: () => Math.trunc(clock.wallTime()),
  adjust: async () => {},
})
