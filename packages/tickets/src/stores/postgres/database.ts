import { type Clock, systemClock } from '@ai-ticket/core'

/** A row as it comes: texts, numbers, booleans, nulls; 8-byte integers as text or number, as the client likes. */
export type Row = Readonly<Record<string, unknown>>

/** Takes statements: a pool, or one transaction. */
export interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

/** The parts of PostgreSQL that the store needs, so that one in the process (PGlite) can stand in for it in tests. */
export interface Database extends Queryable {
  /**
   * Commits when the work resolves, rolls back when it rejects. Rejects with `CommitUnanswered` where nobody knows which of
   * both it was. `isLong`: a statement may take as long as it takes.
   */
  transaction<Value>(
    work: (transaction: Queryable) => Promise<Value>,
    options?: { readonly isLong?: boolean },
  ): Promise<Value>
  /** Calls back with every message on the channel. Mends its connection by itself. */
  listen(channel: string, onMessage: (message: string) => void): Promise<Listening>
  /** Takes a name that one process has at a time, and takes it again by itself when its connection was lost. */
  lockName(name: string): Promise<NameLock>
  close(): Promise<void>
}

/** The connection ended after COMMIT was sent and before it was answered. */
export class CommitUnanswered extends Error {
  override readonly name = 'CommitUnanswered'

  constructor(cause: unknown) {
    super('The connection broke during the commit.', { cause })
  }
}

/** A name that lasts as long as the connection that holds it, so that a process loses it however it dies. */
export interface NameLock {
  /** `taken`: another process has it. `away`: the connection is lost, so nobody knows. */
  readonly standing: 'held' | 'taken' | 'away'
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
  // From our steady clock to theirs: leases must not end because somebody sets the clock of this machine.
  let offsetMs = systemClock.wallTime() - systemClock.now()
  return {
    now: () => Math.trunc(systemClock.now() + offsetMs),
    async adjust(at) {
      const asked = systemClock.now()
      const [row] = await at.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now')
      const answered = systemClock.now()
      offsetMs = Number(row?.now) - (asked + answered) / 2
    },
  }
}

/** For tests: the time of a clock that was handed in. */
export const timeOf = (clock: Clock): DatabaseTime => ({
  now: () => Math.trunc(clock.wallTime()),
  adjust: async () => {},
})
