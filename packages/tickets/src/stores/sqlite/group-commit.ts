import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '@ai-ticket/core'
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
  readonly clock: Clock
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

const logInUse = () =>
  new StoreUnavailable(
    'locked',
    'The disk failed, and the log of the ticket store has to be renewed, but another program reads it. End that program.',
  )

const notKnown = (cause: unknown) =>
  new StoreUnavailable(
    'unknown',
    'The disk failed during the commit; it is not known whether it was written.',
    cause,
  )

/** For so long work waits for another program that holds the file, in milliseconds. */
const PATIENCE_MS = 2_000
/** Between two tries, so that the process can do other things. */
const PAUSE_MS = 50

const isLocked = (problem: unknown): boolean =>
  problem instanceof StoreUnavailable && problem.problem === 'locked'

const isDiskError = (problem: unknown): boolean =>
  problem instanceof StoreUnavailable && problem.problem === 'unreachable'

interface Job {
  readonly isLazy: boolean
  readonly since: number
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
  /** A commit broke on its way to the disk: what stands in the log since then is not what it seems. */
  #isInDoubt = false

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
        since: this.#options.clock.now(),
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
    if (this.#commit(group)) return
    // One of them is at fault. Alone, it fails alone.
    for (const job of group) this.#commit([job])
  }

  /** False: nothing of the group was written, and it has not been told why: one of many may be at fault. */
  #commit(group: readonly Job[]): boolean {
    const { database, onStep, explain, watch, check } = this.#options
    let isCommitting = false
    try {
      check()
      this.#renewLog()
      this.#beLazy(group.every((job) => job.isLazy))
      database.exec('BEGIN IMMEDIATE')
      for (const job of group) job.run()
      onStep('commit')
      isCommitting = true
      database.exec('COMMIT')
      isCommitting = false
      // A commit to a file that was removed meanwhile is reported to nobody.
      check()
      onStep('committed')
    } catch (error) {
      this.#rollBack()
      const problem = explain(error)
      if (isLocked(problem)) {
        this.#tryLater(group, problem)
        return true
      }
      const isUnknown = isCommitting && isDiskError(problem) && !this.#takeBack()
      // To try each alone would not tell more.
      if (!isUnknown && group.length > 1) return false
      const told = watch.failed(isUnknown ? notKnown(problem) : problem)
      for (const job of group) job.fail(told)
      return true
    }
    watch.succeeded()
    for (const job of group) job.settle()
    return true
  }

  /** Another program holds the file: tries again soon, without those that have waited for long enough. */
  #tryLater(group: readonly Job[], problem: unknown): void {
    const { clock, watch } = this.#options
    const isPatient = ({ since }: Job) => !this.#isClosed && clock.now() - since < PATIENCE_MS
    const late = group.filter((job) => !isPatient(job))
    if (late.length > 0) {
      const told = watch.failed(problem)
      for (const job of late) job.fail(told)
    }
    if (late.length === group.length) return
    this.#jobs.unshift(...group.filter(isPatient))
    clock.setTimer(() => this.#flush(), PAUSE_MS)
  }

  /** A commit that waits for the disk waits for the whole log, with all that was written lazily before. */
  #beLazy(isLazy: boolean): void {
    if (isLazy === this.#isLazy) return
    this.#options.database.exec(`PRAGMA synchronous = ${isLazy ? 'NORMAL' : 'FULL'}`)
    this.#isLazy = isLazy
  }

  /** False: nobody can say whether a commit that broke will be there after a crash. */
  #takeBack(): boolean {
    this.#isInDoubt = true
    try {
      this.#renewLog()
      return true
    } catch {
      return false
    }
  }

  /**
   * After a failed sync, Linux takes pages for written that are not: what follows them in the log would be lost with them
   * in a power cut. And a refused commit may stand in the log whole, so that a restart would find it. So everything that
   * was committed goes into the file of the tickets, by a sync of its own, and the log starts from the beginning.
   */
  #renewLog(): void {
    if (!this.#isInDoubt) return
    const { busy } = this.#options.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() ?? {}
    if (busy !== 0) throw logInUse()
    this.#isInDoubt = false
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
