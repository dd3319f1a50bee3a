/** A row as it comes: texts, numbers, booleans, nulls; 8-byte integers as text or number, as the client likes. */
export type Row = Readonly<Record<string, unknown>>

/** What a statement can be sent to: a pool, or one transaction. */
export interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

/** What the store needs of a PostgreSQL, so that one in the process (PGlite) can stand in for it in tests. */
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
