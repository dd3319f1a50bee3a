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
  /** The same, unless it was looked at within half a lease: whoever was cut off may not know that somebody has set it. */
  keepFresh(at: Queryable, leaseMs: number): Promise<void>
  /** How long ago somebody was seen to have set it, in milliseconds; infinite: nobody was. */
  setMsAgo(): number
}

/** A network is slow and clocks drift; more than this, and somebody has set the clock. */
const DRIFT_MS = 1_000

export function createDatabaseTime(clock: Clock = systemClock): DatabaseTime {
  // From our steady clock to theirs: leases must not end because somebody sets the clock of this machine.
  let offsetMs: number | undefined
  let setAt = Number.NEGATIVE_INFINITY
  let lookedAt = Number.NEGATIVE_INFINITY
  const time: DatabaseTime = {
    now: () => Math.trunc(clock.now() + (offsetMs ?? clock.wallTime() - clock.now())),
    async adjust(at) {
      const asked = clock.now()
      const [row] = await at.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now')
      const answered = clock.now()
      lookedAt = answered
      const seenMs = Number(row?.now) - (asked + answered) / 2
      const unsureMs = DRIFT_MS + (answered - asked) / 2
      const wasSet = offsetMs !== undefined && Math.abs(seenMs - offsetMs) > unsureMs
      if (wasSet) setAt = answered
      // An answer that took seconds on its way says less than what is known already.
      if (offsetMs === undefined || wasSet || unsureMs < 2 * DRIFT_MS) offsetMs = seenMs
    },
    async keepFresh(at, leaseMs) {
      if (clock.now() - lookedAt > leaseMs / 2) await time.adjust(at)
    },
    setMsAgo: () => clock.now() - setAt,
  }
  return time
}

/** For tests: the time of a clock that was handed in. */
export const timeOf = (clock: Clock): DatabaseTime => ({
  now: () => Math.trunc(clock.wallTime()),
  adjust: async () => {},
  keepFresh: async () => {},
  setMsAgo: () => Number.POSITIVE_INFINITY,
})
