import type { JobAttempt, PgBoss } from 'pg-boss'
import type { Queryable } from './database.ts'

/** Which waiting ticket goes next is pg-boss's to say. A job holds the id of its ticket and nothing else. */
export interface JobQueue {
  /** A ticket that has a job keeps that one. */
  add(transaction: Queryable, tickets: readonly QueuedTicket[]): Promise<void>
  /** The next in line; other servers do not get them, and do not wait for us either. */
  take(transaction: Queryable, request: TakeRequest): Promise<readonly TakenJob[]>
  finish(transaction: Queryable, jobs: readonly JobAttempt[]): Promise<void>
  /** Back into the line, in its old place. */
  giveBack(transaction: Queryable, job: JobAttempt): Promise<void>
  /** Removes every trace of it, so that the ticket can be added again. */
  drop(transaction: Queryable, jobs: readonly JobAttempt[]): Promise<void>
}

export interface QueuedTicket {
  readonly id: string
  readonly rank: number
  /** The backend that the event asks for. */
  readonly group: string | null
}

interface TakeRequest {
  readonly limit: number
  readonly ignoreGroups: readonly string[]
}

export interface TakenJob extends JobAttempt {
  readonly ticket: string
}

export const QUEUE = 'tickets'

/** pg-boss moves no job by itself: what a dead server held is found by the lease of its ticket. */
export const QUEUE_OPTIONS = {
  retryLimit: 1_000_000_000,
  retryDelay: 0,
  // The most that pg-boss takes. A run that lasts longer keeps its ticket: see claimTickets.
  expireInSeconds: 24 * 3_600,
  retentionSeconds: 10 * 365 * 24 * 3_600,
  // The ticket is the record; a finished job is only kept for the numbers of pg-boss.
  deleteAfterSeconds: 600,
} as const

/** Of pg-boss's whole numbers, so that the lowest rank is the highest priority until the year 2099. */
const priorityOf = (rank: number): number =>
  Math.min(Math.max(2_000_000_000 - Math.floor(rank / 1_000), -HIGHEST_PRIORITY), HIGHEST_PRIORITY)

/** Beyond it, PostgreSQL would refuse all jobs that are added with this one. */
const HIGHEST_PRIORITY = 2_000_000_000

/** The same job for the same ticket, always: adding it twice adds it once. */
export const jobIdOf = (ticketId: string): string => ticketId.replace(/^tkt_/, '')

export function createJobQueue(boss: PgBoss): JobQueue {
  return {
    async add(transaction, tickets) {
      if (tickets.length === 0) return
      const jobs = tickets.map(({ id, rank, group }) => ({
        id: jobIdOf(id),
        data: { ticket: id },
        priority: priorityOf(rank),
        ...(group ? { group: { id: group } } : {}),
      }))
      await boss.insert(QUEUE, jobs, joining(transaction))
    },
    async take(transaction, { limit, ignoreGroups }) {
      const jobs = await boss.fetch<{ ticket: string }>(QUEUE, {
        batchSize: limit,
        // When a ticket is due its row says. pg-boss would leave all jobs alone for hours after a clock was set back.
        ignoreStartAfter: true,
        ...(ignoreGroups.length > 0 ? { ignoreGroups: [...ignoreGroups] } : {}),
        ...joining(transaction),
      })
      return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, ticket: data.ticket }))
    },
    async finish(transaction, jobs) {
      if (jobs.length > 0) await boss.complete(QUEUE, [...jobs], null, joining(transaction))
    },
    async giveBack(transaction, job) {
      await boss.fail(QUEUE, job, null, joining(transaction))
    },
    async drop(transaction, jobs) {
      if (jobs.length > 0) await boss.deleteJob(QUEUE, [...jobs], joining(transaction))
    },
  }
}

const joining = (transaction: Queryable) => ({
  db: {
    executeSql: async (sql: string, values?: unknown[]) => ({
      rows: [...(await transaction.query(sql, values))],
    }),
  },
})
