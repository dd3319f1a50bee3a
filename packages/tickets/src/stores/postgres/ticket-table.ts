import type { Idempotency } from '../../ticket/new-ticket.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import { type Fence, latestLease, type Progress, type Ticket } from '../../ticket/ticket.ts'
import type { OrphanSearch, PruneRequest, TicketGlance } from '../../ticket/ticket-store.ts'
import { withinBytes } from '../list-page.ts'
import { DEAD_LETTERS, NO_DEAD_LETTERS, type PruneLimits, pruneLimits } from '../prune-limits.ts'
import { hasNewRow } from '../row-columns.ts'
import { GLANCE, knownKeyOf, NEXT_DUE, nextDueInMs } from '../ticket-columns.ts'
import type { Queryable, Row } from './database.ts'
import { BYTES } from './list-query.ts'
import {
  COLUMN_TYPES,
  type Columns,
  changingColumns,
  glanceOf,
  lastingColumns,
  progressColumns,
  sideColumns,
  storableText,
  ticketOf,
} from './ticket-row.ts'

export interface NewRow {
  readonly ticket: Ticket
  readonly idempotency?: Idempotency & { readonly until: number }
}

// The statements of the store: rows in, tickets out; what may happen to a ticket is decided elsewhere.

export async function insertTickets(at: Queryable, rows: readonly NewRow[]): Promise<void> {
  if (rows.length === 0) return
  const columns = rows.map(
    ({ ticket, idempotency: key }): Columns => ({
      ...lastingColumns(ticket),
      ...changingColumns(ticket),
      idempotency_scope: key === undefined ? null : storableText(key.scope),
      idempotency_key: key === undefined ? null : storableText(key.key),
      idempotency_fingerprint: key === undefined ? null : storableText(key.fingerprint),
      idempotency_until: key === undefined ? null : storableTime(key.until),
    }),
  )
  const { names, lists, values } = asLists(columns)
  const selected = names.map((name) => (typeOf(name) === 'jsonb' ? `${name}::jsonb` : name))
  const sides = rows.map(({ ticket }) => sideColumns(ticket))
  const inserted = `INSERT INTO tickets (${names.join(', ')})
    SELECT ${selected.join(', ')} FROM unnest(${lists.join(', ')}) AS given (${names.join(', ')})`
  await at.query(...withRows(inserted, values, sides))
}

/** The same statement writes what stands beside the tickets: it needs their numbers. Their callbacks stay as they are. */
function withRows(
  statement: string,
  values: readonly unknown[],
  sides: readonly Columns[],
): [sql: string, values: unknown[]] {
  const side = asLists(sides, values.length)
  const columns = side.names.filter((name) => name !== 'id')
  const sql = `WITH written AS (${statement} RETURNING tickets.seq, tickets.id)
    INSERT INTO ticket_rows (seq, ${columns.join(', ')})
    SELECT written.seq, ${columns.map((name) => `given.${name}`).join(', ')}
    FROM written JOIN unnest(${side.lists.join(', ')}) AS given (${side.names.join(', ')}) ON given.id = written.id
    ON CONFLICT (seq) DO UPDATE SET prompt = excluded.prompt, answer = excluded.answer, facts = excluded.facts,
      wasted_ms = excluded.wasted_ms`
  return [sql, [...values, ...side.values]]
}

export async function updateTickets(at: Queryable, tickets: readonly Ticket[]): Promise<void> {
  if (tickets.length === 0) return
  const { names, lists, values } = asLists(tickets.map(changingColumns))
  const sets = names.filter((name) => name !== 'id').map((name) => `${name} = given.${name}`)
  const updated = `UPDATE tickets SET ${sets.join(', ')}
    FROM unnest(${lists.join(', ')}) AS given (${names.join(', ')}) WHERE tickets.id = given.id`
  const sides = tickets.filter(hasNewRow).map(sideColumns)
  await (sides.length === 0 ? at.query(updated, values) : at.query(...withRows(updated, values, sides)))
}

export async function findTicket(at: Queryable, id: string): Promise<Ticket | undefined> {
  const [row] = await at.query('SELECT * FROM tickets WHERE id = $1', [storableText(id)])
  return row && ticketOf(row)
}

export async function peekTicket(at: Queryable, id: string): Promise<TicketGlance | undefined> {
  return (await at.query(`SELECT ${GLANCE} FROM tickets WHERE id = $1`, [storableText(id)])).map(glanceOf)[0]
}

export async function findTickets(at: Queryable, ids: readonly string[]): Promise<readonly Ticket[]> {
  if (ids.length === 0) return []
  return (await at.query('SELECT * FROM tickets WHERE id = ANY($1)', [ids])).map(ticketOf)
}

/** Nobody else changes these until the transaction ends. */
export async function lockTickets(at: Queryable, ids: readonly string[]): Promise<readonly Ticket[]> {
  const sql = 'SELECT * FROM tickets WHERE id = ANY($1) ORDER BY seq FOR UPDATE'
  return (await at.query(sql, [ids.map(storableText)])).map(ticketOf)
}

/** Running tickets whose holder is dead. One that another server takes over at this moment is left to it. */
export async function lockOrphans(
  at: Queryable,
  { owner, limit, held, ...lease }: OrphanSearch,
): Promise<readonly Ticket[]> {
  const rows = await at.query(
    `SELECT id, ${BYTES} FROM tickets WHERE status = 'in_progress'
      AND (lease_until <= $1 OR lease_until > $6 OR (worker = $2 AND session <> $3)) AND NOT id = ANY($5)
      ORDER BY rank, seq LIMIT $4 FOR UPDATE SKIP LOCKED`,
    [lease.now, storableText(owner.worker), storableText(owner.session), limit, held, latestLease(lease)],
  )
  return await lockTickets(at, idsWithin(rows))
}

export async function lockExpired(at: Queryable, now: number): Promise<readonly Ticket[]> {
  const rows = await at.query(
    `SELECT id, ${BYTES} FROM tickets WHERE status = 'queued' AND expires_at <= $1 LIMIT 500 FOR UPDATE SKIP LOCKED`,
    [now],
  )
  return await lockTickets(at, idsWithin(rows))
}

/** Those that fit into one read; the others are for the next one. */
const idsWithin = (rows: readonly Row[]): readonly string[] =>
  withinBytes(rows.map(({ id, bytes }) => ({ id, bytes }))).map(({ id }) => String(id))

/** False: the claim is lost. What may be large is neither read nor written. */
export async function saveProgress(
  at: Queryable,
  { id, token }: Fence,
  progress: Progress,
): Promise<boolean> {
  const columns = Object.entries(progressColumns(progress))
  const sets = [
    'token = token',
    ...columns.map(([name], index) => `${name} = coalesce($${index + 3}, ${name})`),
  ]
  const rows = await at.query(
    `UPDATE tickets SET ${sets.join(', ')} WHERE id = $1 AND token = $2 AND status = 'in_progress' RETURNING 1`,
    [storableText(id), token, ...columns.map(([, value]) => value)],
  )
  return rows.length > 0
}

export async function findByKeys(at: Queryable, keys: readonly Idempotency[]) {
  if (keys.length === 0) return []
  const rows = await at.query(
    `SELECT tickets.* FROM tickets JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS given (scope, key)) AS given
      ON idempotency_scope = given.scope AND idempotency_key = given.key`,
    [keys.map(({ scope }) => storableText(scope)), keys.map(({ key }) => storableText(key))],
  )
  return rows.map((row) => ({
    scope: String(row.idempotency_scope),
    key: String(row.idempotency_key),
    known: knownKeyOf(row, ticketOf(row)),
  }))
}

export async function forgetKeys(at: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await at.query(
    `UPDATE tickets SET idempotency_scope = NULL, idempotency_key = NULL, idempotency_fingerprint = NULL,
      idempotency_until = NULL WHERE id = ANY($1)`,
    [ids],
  )
}

export async function readNextDueInMs(at: Queryable, now: number): Promise<number | undefined> {
  const [first] = await at.query(NEXT_DUE)
  return first && nextDueInMs(first, now)
}

export async function readPruneLimits(at: Queryable, request: PruneRequest): Promise<PruneLimits> {
  const [kept] = request.keep ? await at.query(OLDEST_KEPT, [request.keep - 1]) : []
  return pruneLimits(request, kept && [Number(kept.finished_at), Number(kept.seq)])
}

export async function removeFinished(at: Queryable, limits: PruneLimits): Promise<number> {
  return (await at.query(PRUNE, limitValues(limits))).length
}

export async function removeTicket(at: Queryable, id: string): Promise<boolean> {
  const sql = 'DELETE FROM tickets WHERE id = $1 AND finished_at IS NOT NULL RETURNING seq'
  return (await at.query(sql, [id])).length > 0
}

export async function countPrunable(at: Queryable, limits: PruneLimits): Promise<number> {
  return Number((await at.query(COUNT_PRUNABLE, limitValues(limits)))[0]?.number)
}

const typeOf = (column: string) => COLUMN_TYPES[column] ?? 'text'

/** One statement for any number of rows: a list for each column. */
function asLists(rows: readonly Columns[], earlier = 0) {
  const names = Object.keys(rows[0] ?? {})
  return {
    names,
    lists: names.map((name, index) => {
      const type = typeOf(name)
      return `$${earlier + index + 1}::${type === 'jsonb' ? 'text' : type}[]`
    }),
    values: names.map((name) => rows.map((row) => row[name] ?? null)),
  }
}

/** Rows a step, so that no transaction grows long. */
const STEP = 1_000

const doomed = (end: string) => `(SELECT seq FROM tickets
    WHERE ${DEAD_LETTERS} AND (finished_at, seq) < ($1::bigint, $2::bigint) ${end})
  UNION ALL (SELECT seq FROM tickets
    WHERE ${NO_DEAD_LETTERS} AND (finished_at, seq) < ($3::bigint, $4::bigint) ${end})`

/** Removes some of what lies before the limits; none left: it removes nothing. */
const PRUNE = `DELETE FROM tickets WHERE seq IN (${doomed(`LIMIT ${STEP}`)}) RETURNING seq`

const COUNT_PRUNABLE = `SELECT count(*) AS number FROM (${doomed('')}) AS doomed`

const OLDEST_KEPT = `SELECT finished_at, seq FROM tickets WHERE ${NO_DEAD_LETTERS}
  ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET $1::bigint`

const limitValues = ({ deadLetters, others }: PruneLimits): number[] => [...deadLetters, ...others]
