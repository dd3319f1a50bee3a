import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Idempotency } from '../../ticket/new-ticket.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import {
  type Fence,
  latestLease,
  type Progress,
  type Ticket,
  type TicketStatus,
} from '../../ticket/ticket.ts'
import { type TicketRowPage, wastedMsOf } from '../../ticket/ticket-row.ts'
import type {
  OrphanSearch,
  PruneRequest,
  TicketGlance,
  TicketPage,
  TicketQuery,
  TicketStats,
} from '../../ticket/ticket-store.ts'
import { withinBytes } from '../list-page.ts'
import { DEAD_LETTERS, NO_DEAD_LETTERS, type PruneLimits, pruneLimits } from '../prune-limits.ts'
import { hasNewRow, ROW_COLUMNS } from '../row-columns.ts'
import { GLANCE, type KnownKey, knownKeyOf, NEXT_DUE, nextDueInMs, statsOf } from '../ticket-columns.ts'
import { BYTES, listTickets, ROWS } from './list-query.ts'
import {
  changingColumns,
  glanceOf,
  lastingColumns,
  listedRowOf,
  prepareToRead,
  progressColumns,
  type Row,
  sideColumns,
  ticketOf,
  type Values,
} from './ticket-row.ts'

/** The statements of the store. Rows in, tickets out; what may happen to a ticket is decided elsewhere. */
export type TicketTable = ReturnType<typeof createTicketTable>

const KEY_COLUMNS = [
  'idempotency_scope',
  'idempotency_key',
  'idempotency_fingerprint',
  'idempotency_until',
] as const

const NEW_COLUMNS = [
  'id',
  'event_id',
  'kind',
  'status',
  'caller',
  'priority',
  'created_at',
  'not_before',
  'rank',
  'event',
  'backend',
  'model',
  'door',
  'is_chat',
] as const
const WAITING_COLUMNS = [
  ...NEW_COLUMNS,
  'sender',
  'paused_at',
  'held',
  'expires_at',
  'replay_of',
  'callback_url',
  'wanted_backend',
  'trace',
  'wants_stream',
  'prefix',
] as const

/**
 * Columns that are as they are by default are left out, for each costs a call into SQLite. `OR FAIL`: a row that meets
 * a constraint writes nothing, as without it, but SQLite keeps no copy of each page that a row and its trigger touch in
 * order to take back half of it.
 */
const insertion = (names: readonly string[]) => ({
  names,
  sql: `INSERT OR FAIL INTO tickets (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
})

const WAITING = insertion(WAITING_COLUMNS)
const WAITING_WITH_KEY = insertion([...WAITING_COLUMNS, ...KEY_COLUMNS])
const RECORDED = insertion([...NEW_COLUMNS, 'started_at', 'finished_at', 'error', 'outcome', 'outcome_crc'])

const updateOf = (names: readonly string[]) =>
  `UPDATE OR FAIL tickets SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE id = ? RETURNING seq, ${BYTES}`

const INSERT_METADATA = 'INSERT INTO ticket_metadata VALUES (?, substr(?, 1, 200), ?, ?)'

/** Its callback stays as it is. */
const WRITE_ROW = `INSERT INTO ticket_rows (${ROW_COLUMNS.join(', ')})
  VALUES (${ROW_COLUMNS.map((name) => `:${name}`).join(', ')})
  ON CONFLICT (seq) DO UPDATE SET prompt = excluded.prompt, answer = excluded.answer, facts = excluded.facts,
    wasted_ms = excluded.wasted_ms`

/**
 * Bytes of event and outcome up to which a list reads the whole ticket: it lies in one page then, and a second row for each
 * event would make the history a tenth slower.
 */
const READ_WHOLE = 3_000

/** Whether what a list shows stands beside the ticket. It stays there: none of these goes away again. */
const standsAside = (ticket: Ticket, bytes: number): boolean =>
  bytes > READ_WHOLE || ticket.callbackUrl !== undefined || wastedMsOf(ticket) > 0

const lengthOf = (value: SQLInputValue | undefined): number => (typeof value === 'string' ? value.length : 0)

const keyColumns = (key: (Idempotency & { readonly until: number }) | undefined): Values =>
  key
    ? {
        idempotency_scope: key.scope,
        idempotency_key: key.key,
        idempotency_fingerprint: key.fingerprint,
        idempotency_until: storableTime(key.until),
      }
    : {}

export const createTicketTable = (database: DatabaseSync) => {
  const statements = createStatements(database)
  return {
    ...ticketStatements(statements),
    ...queueStatements(statements),
    ...overviewStatements(statements),
  }
}

type Statements = ReturnType<typeof createStatements>

/** Prepares each text once. */
function createStatements(database: DatabaseSync) {
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  const statement = (sql: string) => {
    const known = prepared.get(sql)
    if (known) return known
    const made = prepareToRead(database, sql)
    // Statements of filters come in many forms; those of the hot path are the first ones.
    if (prepared.size < 64) prepared.set(sql, made)
    return made
  }
  const all = (sql: string, ...values: readonly SQLInputValue[]): Row[] => statement(sql).all(...values)
  const tickets = (sql: string, ...values: readonly SQLInputValue[]) => all(sql, ...values).map(ticketOf)
  return { statement, all, tickets }
}

const EXTEND_LEASE = `UPDATE tickets SET lease_until = ? WHERE id = ? AND token = ? AND status = 'in_progress'
  RETURNING cancel_requested_at`

/** One ticket. */
function ticketStatements({ statement, all, tickets }: Statements) {
  let updateSql: string | undefined
  const writeSide = (seq: SQLOutputValue, ticket: Ticket) =>
    statement(WRITE_ROW).run({ seq, ...sideColumns(ticket) })
  return {
    insert(ticket: Ticket, key?: Idempotency & { readonly until: number }): void {
      const columns: Values = { ...lastingColumns(ticket), ...changingColumns(ticket), ...keyColumns(key) }
      const { names, sql } = ticket.kind === 'event' ? RECORDED : key ? WAITING_WITH_KEY : WAITING
      const { lastInsertRowid: seq } = statement(sql).run(...names.map((name) => columns[name] ?? null))
      if (standsAside(ticket, lengthOf(columns.event) + lengthOf(columns.outcome))) writeSide(seq, ticket)
      for (const [name, value] of metadataOf(ticket.event)) {
        statement(INSERT_METADATA).run(name, value, ticket.createdAt, seq)
      }
    },
    update(ticket: Ticket): void {
      const { id: _id, ...columns } = changingColumns(ticket)
      updateSql ??= updateOf(Object.keys(columns))
      const [updated] = all(updateSql, ...Object.values(columns), ticket.id)
      if (updated?.seq !== undefined && hasNewRow(ticket) && standsAside(ticket, Number(updated.bytes)))
        writeSide(updated.seq, ticket)
    },
    /** Undefined: the claim is lost. */
    extendLease({ id, token }: Fence, leaseUntil: number): Row | undefined {
      return all(EXTEND_LEASE, storableTime(leaseUntil), id, token)[0]
    },
    /** False: the claim is lost. What may be large is neither read nor written. */
    saveProgress({ id, token }: Fence, progress: Progress): boolean {
      const columns = progressColumns(progress)
      const names = Object.keys(columns)
      if (names.length === 0) names.push('token')
      const sets = names.map((name) => `${name} = coalesce(?, ${name})`).join(', ')
      const values = names.map((name) => columns[name] ?? null)
      const sql = `UPDATE tickets SET ${sets} WHERE id = ? AND token = ? AND status = 'in_progress'`
      return Number(statement(sql).run(...values, id, token).changes) > 0
    },
    find: (id: string): Ticket | undefined => tickets('SELECT * FROM tickets WHERE id = ?', id)[0],
    peek: (id: string): TicketGlance | undefined =>
      all(`SELECT ${GLANCE} FROM tickets WHERE id = ?`, id).map(glanceOf)[0],
    findByKey({ scope, key }: Idempotency): KnownKey | undefined {
      const sql = 'SELECT * FROM tickets WHERE idempotency_scope = ? AND idempotency_key = ?'
      const [row] = all(sql, scope, key)
      return row && knownKeyOf(row, ticketOf(row))
    },
    forgetKey(id: string): void {
      statement(
        `UPDATE tickets SET ${KEY_COLUMNS.map((name) => `${name} = NULL`).join(', ')} WHERE id = ?`,
      ).run(id)
    },
  }
}

/** Tickets that need a worker, or whose time has come. */
function queueStatements({ all, tickets }: Statements) {
  /** Those of a search that fit into one read; the others are for the next one. */
  const someOf = (where: string, limit: number, ...values: readonly SQLInputValue[]): Ticket[] => {
    const found = withinBytes(
      all(`SELECT seq, rank, ${BYTES} FROM tickets WHERE ${where} LIMIT ?`, ...values, limit),
    )
    if (found.length === 0) return []
    const seqs = `[${found.map(({ seq }) => String(seq)).join()}]`
    return tickets(
      'SELECT * FROM tickets WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY rank, seq',
      seqs,
    )
  }
  return {
    orphans: ({ owner, limit, held, ...lease }: OrphanSearch) =>
      someOf(
        `status = 'in_progress' AND (lease_until <= ? OR lease_until > ? OR (worker = ? AND session <> ?))
          AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY rank, seq`,
        limit,
        lease.now,
        latestLease(lease),
        owner.worker,
        owner.session,
        JSON.stringify(held),
      ),
    hasExpired: (now: number): boolean =>
      all("SELECT 1 FROM tickets WHERE status = 'queued' AND expires_at <= ? LIMIT 1", now).length > 0,
    expired: (now: number) => someOf("status = 'queued' AND expires_at <= ?", 500, now),
    nextDueInMs(now: number): number | undefined {
      const [first] = all(NEXT_DUE)
      return first && nextDueInMs(first, now)
    },
  }
}

/** All tickets: lists, numbers, and those that are no longer kept. */
function overviewStatements({ statement, all }: Statements) {
  return {
    async list(query: TicketQuery): Promise<TicketPage> {
      const { rows, ...more } = await listTickets(query, ({ sql, values }) => all(sql, ...values))
      return { tickets: rows.map(ticketOf), ...more }
    },
    async listRows(query: TicketQuery): Promise<TicketRowPage> {
      const { rows, ...more } = await listTickets(query, ({ sql, values }) => all(sql, ...values), ROWS)
      const read = (seq: SQLOutputValue | undefined) =>
        ticketOf(all('SELECT * FROM tickets WHERE seq = ?', seq ?? null)[0] ?? {})
      return { rows: rows.map((row) => listedRowOf(row, read)), ...more }
    },
    count: (status: TicketStatus): number =>
      Number(all('SELECT number FROM counts WHERE status = ?', status)[0]?.number),
    stats(): TicketStats {
      const counted = all('SELECT * FROM counts')
      const [oldest] = all(
        "SELECT created_at FROM tickets WHERE status = 'queued' ORDER BY created_at LIMIT 1",
      )
      return statsOf(new Map(counted.map(({ status, number }) => [status, Number(number)])), oldest)
    },
    pruneLimits(request: PruneRequest): PruneLimits {
      const [kept] = request.keep ? all(OLDEST_KEPT, request.keep - 1) : []
      return pruneLimits(request, kept && [Number(kept.finished_at), Number(kept.seq)])
    },
    remove(limits: PruneLimits): number {
      // The events are read once more, for their metadata is removed with them.
      const some = withinBytes(all(DOOMED, ...limitValues(limits)))
      if (some.length === 0) return 0
      return Number(statement(REMOVE).run(`[${some.map(({ seq }) => String(seq)).join()}]`).changes)
    },
    removeOne: (id: string): boolean =>
      statement('DELETE FROM tickets WHERE id = ? AND finished_at IS NOT NULL').run(id).changes > 0,
    countPrunable: (limits: PruneLimits): number =>
      Number(all(COUNT_PRUNABLE, ...limitValues(limits))[0]?.number),
  }
}

/** Only texts can be asked for. */
function metadataOf(event: Ticket['event']): readonly (readonly [name: string, value: string])[] {
  const metadata = event?.metadata
  if (typeof metadata !== 'object' || metadata === null) return []
  return Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
}

/** Rows a step: the event loop stands still for a few milliseconds at most. */
const STEP = 250

const BELOW = '(finished_at, seq) < (?, ?)'

const from = (index: string, condition: string, end: string) =>
  `SELECT * FROM (SELECT seq FROM tickets INDEXED BY ${index} WHERE ${condition} AND ${BELOW} ${end})`

/** The indexes are named: the planner would take that of the states, and walk over all dead letters that are kept. */
const doomed = (end: string) =>
  `${from('tickets_dead', DEAD_LETTERS, end)} UNION ALL ${from('tickets_by_end', NO_DEAD_LETTERS, end)}`

/** Some of what lies before the limits. */
const DOOMED = `SELECT seq, ${BYTES} FROM tickets WHERE seq IN (${doomed(`LIMIT ${STEP}`)})`

const REMOVE = 'DELETE FROM tickets WHERE seq IN (SELECT value FROM json_each(?))'

const COUNT_PRUNABLE = `SELECT count(*) AS number FROM (${doomed('')})`

const OLDEST_KEPT = `SELECT finished_at, seq FROM tickets WHERE ${NO_DEAD_LETTERS}
  ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET ?`

const limitValues = ({ deadLetters, others }: PruneLimits): SQLInputValue[] => [...deadLetters, ...others]
