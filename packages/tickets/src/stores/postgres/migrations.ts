import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import type { Database, Queryable } from './database.ts'
import { INDEXES_AND_COUNTS } from './indexes-and-counts.ts'

/** One a version, a list or a text of statements, in order; a published one is never changed, the next one mends it. */
const MIGRATIONS: readonly (string | readonly string[])[] = [
  `
  CREATE TABLE tickets (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    event_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    caller text NOT NULL,
    priority integer NOT NULL,
    created_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    expires_at bigint,
    not_before bigint NOT NULL,
    rank bigint NOT NULL,
    replay_of text,
    token integer NOT NULL,
    runs integer NOT NULL,
    retries integer NOT NULL,
    crashes integer NOT NULL,
    worker text,
    session text,
    lease_until bigint,
    cancel_requested_at bigint,
    call_backend text,
    call_endpoint text,
    call_key text,
    call_started_at bigint,
    wanted_backend text,
    backend text,
    model text,
    error text,
    last_error text,
    last_details text,
    partial text,
    attempts text NOT NULL,
    outcome text,
    answer text,
    event text,
    content text,
    content_is_json boolean NOT NULL,
    metadata jsonb,
    has_job boolean NOT NULL DEFAULT false,
    job_attempt integer,
    idempotency_scope text,
    idempotency_key text,
    idempotency_fingerprint text,
    idempotency_until bigint
  );
  CREATE INDEX tickets_waiting ON tickets (seq) WHERE status = 'queued';
  CREATE INDEX tickets_due ON tickets (not_before) WHERE status = 'queued';
  CREATE INDEX tickets_without_job ON tickets (not_before) WHERE status = 'queued' AND NOT has_job;
  CREATE INDEX tickets_expiring ON tickets (expires_at) WHERE status = 'queued' AND expires_at IS NOT NULL;
  CREATE INDEX tickets_held ON tickets (lease_until) WHERE status = 'in_progress';
  CREATE UNIQUE INDEX tickets_idempotency ON tickets (idempotency_scope, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX tickets_by_status ON tickets (status, created_at, seq);
  CREATE INDEX tickets_by_backend ON tickets (backend, created_at, seq) WHERE backend IS NOT NULL;
  CREATE INDEX tickets_by_model ON tickets (model, created_at, seq) WHERE model IS NOT NULL;
  CREATE INDEX tickets_by_error ON tickets (error, created_at, seq) WHERE error IS NOT NULL;
  CREATE INDEX tickets_by_event ON tickets (event_id, created_at, seq);
  CREATE INDEX tickets_by_key ON tickets (idempotency_key, created_at, seq) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX tickets_by_caller ON tickets (caller, created_at, seq);
  CREATE INDEX tickets_by_time ON tickets (created_at, seq);
  CREATE INDEX tickets_by_end ON tickets (finished_at, seq) WHERE finished_at IS NOT NULL;
  CREATE INDEX tickets_by_origin ON tickets (replay_of, created_at, seq) WHERE replay_of IS NOT NULL;
  CREATE INDEX tickets_by_metadata ON tickets USING gin (metadata jsonb_path_ops) WHERE metadata IS NOT NULL;
  `,
  // Dead letters are kept for longer than the rest.
  `
  DROP INDEX tickets_by_end;
  CREATE INDEX tickets_by_end ON tickets (finished_at, seq)
    WHERE finished_at IS NOT NULL AND NOT (kind = 'ticket' AND status = 'failed');
  CREATE INDEX tickets_dead ON tickets (finished_at, seq)
    WHERE finished_at IS NOT NULL AND kind = 'ticket' AND status = 'failed';
  `,
  `
  ALTER TABLE tickets ADD COLUMN callback_url text;
  CREATE TABLE callbacks (
    ticket_id text PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    url text NOT NULL,
    host text NOT NULL,
    status text NOT NULL,
    due_at bigint NOT NULL,
    token integer NOT NULL,
    tries integer NOT NULL,
    attempts text NOT NULL
  );
  CREATE INDEX callbacks_due ON callbacks (due_at) WHERE status = 'pending';
  `,
  INDEXES_AND_COUNTS,
]

/**
 * Makes the schema and brings its table to the newest version. Several servers may start at the same time: one does it,
 * the others wait. Refuses a schema of a later release.
 */
export async function migrate(database: Database, schema: string, to = MIGRATIONS.length): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`ai_ticket ${schema}`])
    const version = await versionOf(transaction, schema)
    if (version > MIGRATIONS.length) {
      throw new StoreUnavailable(
        'broken',
        `The schema "${schema}" was written by a later release (version ${version}, this one knows ${MIGRATIONS.length}). Update AI Ticket.`,
      )
    }
    await transaction.query(
      `SELECT set_config('search_path', $1, true), set_config('statement_timeout', '0', true)`,
      [schema],
    )
    for (const migration of MIGRATIONS.slice(version, to)) {
      for (const statement of statementsOf(migration)) await transaction.query(statement)
    }
    if (version < to) {
      await transaction.query('UPDATE versions SET version = $1', [to])
    }
  })
}

async function versionOf(transaction: Queryable, schema: string): Promise<number> {
  // A role that may not make schemas can use one that was made for it, so it is only made where there is none.
  const [known] = await transaction.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
  if (!known) await transaction.query(`CREATE SCHEMA "${schema}"`)
  await transaction.query(`CREATE TABLE IF NOT EXISTS "${schema}".versions (version integer NOT NULL)`)
  const [row] = await transaction.query(`SELECT version FROM "${schema}".versions`)
  if (row) return Number(row.version)
  await transaction.query(`INSERT INTO "${schema}".versions VALUES (0)`)
  return 0
}

const statementsOf = (migration: string | readonly string[]): readonly string[] =>
  typeof migration === 'string'
    ? migration.split(';').filter((statement) => statement.trim() !== '')
    : migration
