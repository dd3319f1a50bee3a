import type { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable, type WriteWatch } from '../../ticket/store-unavailable.ts'

export interface GroupCommit {
  /** Runs the work in a transaction with whatever else is asked in this turn; resolves when it is on disk. */
  write<Value>(work: () => Value): Promise<Value>
  /** The same without a wait for the disk: a killed process loses none of it, a power cut may take back the last. */
  writeLazily<Value>(work: () => Value): Promise<Value>
  /** Does what was asked for, then takes no more. */
  close(): void
}

export interface GroupCommitOptions {
  readonly database: DatabaseSync
  /** Throws where a commit would not last. */
  readonly check: () => void
  /** Turns what SQLite throws into what callers get. */
  readonly explain: (error: unknown) => unknown
  /** Told how each commit ended. */
  readonly watch: Pick<WriteWatch, 'succeeded' | 'failed'>
  /** Called before and after each commit; a test ends the process here. */
  readonly onStep: (step: 'commit' | 'committed') => void
}

export const storeClosed = () => new StoreUnavailable('closed', 'The ticket store is closed.')

interface Job {
  readonly isLazy: boolean
  run(): void
  settle(): void
  fail(error: unknown): void
}

/** One wait for the disk serves all who ask at the same time: 64 callers at once cost one commit, not 64. */
export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  return new SqliteGroupCommit(options)
}

class SqliteGroupCommit implements GroupCommit {
  readonly #options: GroupCommitOptions
  #jobs: Job[] = []
  #isClosed = false
  /** As `openDatabase` has set it: each commit waits for the disk. */
  #isLazy = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  write<Value>(work: () => Value): Promise<Value> {
    return this.#add(work, false)
  }

  writeLazily<Value>(work: () => Value): Promise<Value> {
    return this.#add(work, true)
  }

  close(): void {
    this.#isClosed = true
    this.#flush()
  }

  #add<Value>(work: () => Value, isLazy: boolean): Promise<Value> {
    if (this.#isClosed) return Promise.reject(storeClosed())
    return new Promise<Value>((resolve, reject) => {
      let value: { readonly of: Value } | undefined
      if (this.#jobs.length === 0) setImmediate(() => this.#flush())
      this.#jobs.push({
        isLazy,
        run: () => {
          value = { of: work() }
        },
        settle: () => {
          if (value) resolve(value.of)
        },
        fail: reject,
      })
    })
  }

  #flush(): void {
    const group = this.#jobs
    this.#jobs = []
    if (group.length === 0) return
    if (this.#commit(group) || group.length === 1) return
    // One of them is at fault. Alone, it fails alone.
    for (const job of group) this.#commit([job])
  }

  /** False: nothing of the group was written. A group of one has been told why. */
  #commit(group: readonly Job[]): boolean {
    const { database, onStep, explain, watch, check } = this.#options
    try {
      check()
      this.#beLazy(group.every((job) => job.isLazy))
      database.exec('BEGIN IMMEDIATE')
      for (const job of group) job.run()
      onStep('commit')
      database.exec('COMMIT')
      // Nobody is told of a commit to a file that was removed meanwhile.
      check()
      onStep('committed')
    } catch (error) {
      this.#rollBack()
      const [only] = group
      if (group.length === 1) only?.fail(watch.failed(explain(error)))
      return false
    }
    watch.succeeded()
    for (const job of group) job.settle()
    return true
  }

  /** A commit that waits for the disk waits for the whole log, with all that was written lazily before. */
  #beLazy(isLazy: boolean): void {
    if (isLazy === this.#isLazy) return
    this.#options.database.exec(`PRAGMA synchronous = ${isLazy ? 'NORMAL' : 'FULL'}`)
    this.#isLazy = isLazy
  }

  #rollBack(): void {
    const { database } = this.#options
    try {
      if (database.isTransaction) database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
  }
}
