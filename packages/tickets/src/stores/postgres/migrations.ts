import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { BROKEN } from '../mend-statement.ts'
import type { Database, Queryable } from './database.ts'

/**
 * Statements of a migration. Two tables are kept by triggers, in the transaction that changes a ticket: metadata, so
 * that a list reads them in the order of time, and counts. Each change adds its difference to the counts as a row of its own:
 * one row a status would make all writers wait for each other.
 */
const INDEXES_AND_COUNTS: readonly string[] = [
  'CREATE INDEX tickets_by_kind ON tickets (kind, created_at, seq)',
  'DROP INDEX tickets_by_metadata',
  `CREATE TABLE ticket_metadata (
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    seq bigint NOT NULL
  )`,
  `INSERT INTO ticket_metadata
    SELECT left(key, 200), left(value, 200), created_at, seq FROM tickets, jsonb_each_text(metadata)
    WHERE metadata IS NOT NULL`,
  'CREATE INDEX ticket_metadata_by_value ON ticket_metadata (name, value, created_at, seq)',
  'CREATE TABLE counts (status text NOT NULL, number bigint NOT NULL)',
  'INSERT INTO counts SELECT status, count(*) FROM tickets GROUP BY status',
  // The path is fixed, so that a statement by hand, from another schema, counts as well.
  `CREATE FUNCTION tickets_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO counts SELECT status, count(*) FROM added GROUP BY status;
    INSERT INTO ticket_metadata
      SELECT left(key, 200), left(value, 200), created_at, seq FROM added, jsonb_each_text(metadata)
      WHERE metadata IS NOT NULL;
    RETURN NULL;
  END $$`,
  `CREATE FUNCTION tickets_moved() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO counts SELECT status, sum(step) FROM (
      SELECT status, -1 AS step FROM former UNION ALL SELECT status, 1 FROM changed
    ) AS moved GROUP BY status HAVING sum(step) <> 0;
    RETURN NULL;
  END $$`,
  `CREATE FUNCTION tickets_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO counts SELECT status, -count(*) FROM removed GROUP BY status;
    DELETE FROM ticket_metadata USING (
      SELECT left(key, 200) AS name, left(value, 200) AS value, created_at, seq FROM removed, jsonb_each_text(metadata)
      WHERE metadata IS NOT NULL
    ) AS gone WHERE ticket_metadata.name = gone.name AND ticket_metadata.value = gone.value
      AND ticket_metadata.created_at = gone.created_at AND ticket_metadata.seq = gone.seq;
    RETURN NULL;
  END $$`,
  `CREATE TRIGGER tickets_added AFTER INSERT ON tickets REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_added()`,
  `CREATE TRIGGER tickets_moved AFTER UPDATE ON tickets REFERENCING OLD TABLE AS former NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_moved()`,
  `CREATE TRIGGER tickets_removed AFTER DELETE ON tickets REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION tickets_removed()`,
]

/**
 * Rows of lists. Tickets that are there already have none, and are read whole: to make them here would read every event.
 * Servers of an earlier release that run beside it write none either.
 */
const ROWS_OF_LISTS: readonly string[] = [
  `CREATE TABLE ticket_rows (
    seq bigint PRIMARY KEY,
    created_at bigint NOT NULL,
    prompt text,
    answer text,
    facts text,
    wasted_ms bigint NOT NULL DEFAULT 0,
    callback text
  )`,
  'CREATE INDEX ticket_rows_wasted ON ticket_rows (created_at, seq) WHERE wasted_ms > 0',
  'CREATE INDEX ticket_rows_by_callback ON ticket_rows (callback, created_at, seq) WHERE callback IS NOT NULL',
  `INSERT INTO ticket_rows (seq, created_at, callback)
    SELECT tickets.seq, tickets.created_at, callbacks.status
    FROM callbacks JOIN tickets ON tickets.id = callbacks.ticket_id`,
  `INSERT INTO ticket_rows (seq, created_at, callback)
    SELECT seq, created_at, 'waiting' FROM tickets
    WHERE status IN ('queued', 'in_progress') AND callback_url IS NOT NULL`,
  `CREATE FUNCTION ticket_rows_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    DELETE FROM ticket_rows USING removed WHERE ticket_rows.seq = removed.seq;
    RETURN NULL;
  END $$`,
  `CREATE TRIGGER ticket_rows_removed AFTER DELETE ON tickets REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION ticket_rows_removed()`,
  `CREATE FUNCTION callbacks_moved() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    UPDATE ticket_rows SET callback = NEW.status FROM tickets
      WHERE tickets.id = NEW.ticket_id AND ticket_rows.seq = tickets.seq;
    RETURN NULL;
  END $$`,
  `CREATE TRIGGER callbacks_added AFTER INSERT ON callbacks FOR EACH ROW EXECUTE FUNCTION callbacks_moved()`,
  `CREATE TRIGGER callbacks_moved AFTER UPDATE OF status ON callbacks FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION callbacks_moved()`,
]

/** Of two that have waited equally long, who was never served is first: its place is below zero, in the order of the tickets. */
const NEWCOMERS = 2 ** 52

/**
 * Whoever has a ticket in line has a row in `turns`, so that a claim finds who is next without asking everybody. Triggers see
 * to it, whatever writes the ticket. A row that somebody else has locked may be about to go: then one more is added, for the
 * last one counts. A newcomer whose held ticket is due before the one that it came with has waited since then.
 */
const inLine = (rows: string) => `WITH waiting AS (
      SELECT sender, min(greatest(created_at, not_before)) AS served_at, min(seq) - ${NEWCOMERS} AS place
      FROM ${rows} WHERE status = 'queued' AND NOT held GROUP BY sender
    ), known AS (
      SELECT sender FROM turns WHERE sender = ANY (ARRAY(SELECT sender FROM waiting)) FOR KEY SHARE SKIP LOCKED
    ), sooner AS (
      SELECT turns.turn, waiting.served_at, waiting.place FROM turns JOIN waiting ON waiting.sender = turns.sender
      WHERE turns.place < 0 AND turns.served_at > waiting.served_at FOR NO KEY UPDATE OF turns SKIP LOCKED
    ), moved AS (
      UPDATE turns SET served_at = sooner.served_at, place = least(turns.place, sooner.place)
      FROM sooner WHERE turns.turn = sooner.turn
    ) INSERT INTO turns (sender, served_at, place)
      SELECT * FROM waiting WHERE NOT sender = ANY (ARRAY(SELECT sender FROM known))`

const LINE_OF_SENDERS: readonly string[] = [
  'ALTER TABLE tickets ADD COLUMN held boolean NOT NULL DEFAULT false',
  `UPDATE tickets SET held = true WHERE status = 'queued' AND not_before > coalesce(paused_at, created_at)`,
  'DROP INDEX tickets_in_turn',
  `CREATE INDEX tickets_in_turn ON tickets (sender, rank, seq)
    INCLUDE (not_before, paused_at, wanted_backend, priority) WHERE status = 'queued' AND NOT held`,
  "CREATE INDEX tickets_by_priority ON tickets (priority) WHERE status = 'queued' AND NOT held",
  "CREATE INDEX tickets_asleep ON tickets (not_before) WHERE status = 'queued' AND held",
  "CREATE INDEX tickets_paused ON tickets (paused_at) WHERE status = 'queued' AND held",
  "CREATE INDEX tickets_asleep_of ON tickets (sender) WHERE status = 'queued' AND held",
  "CREATE INDEX tickets_running_of ON tickets (sender) WHERE status = 'in_progress'",
  'CREATE SEQUENCE turn_places',
  "ALTER TABLE turns ADD COLUMN place bigint NOT NULL DEFAULT nextval('turn_places')",
  'DROP INDEX turns_by_sender',
  'CREATE INDEX turns_by_sender ON turns (sender, served_at, place)',
  'CREATE INDEX turns_in_order ON turns (served_at, place)',
  `INSERT INTO turns (sender, served_at, place)
    SELECT sender, min(greatest(created_at, not_before)), min(seq) - ${NEWCOMERS} FROM tickets
    WHERE status = 'queued' AND NOT held AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.sender = tickets.sender)
    GROUP BY sender`,
  `CREATE OR REPLACE FUNCTION tickets_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO counts SELECT status, count(*) FROM added GROUP BY status;
    INSERT INTO ticket_metadata
      SELECT left(key, 200), left(value, 200), created_at, seq FROM added, jsonb_each_text(metadata)
      WHERE metadata IS NOT NULL;
    ${inLine('added')};
    RETURN NULL;
  END $$`,
  `CREATE OR REPLACE FUNCTION tickets_moved() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO counts SELECT status, sum(step) FROM (
      SELECT status, -1 AS step FROM former UNION ALL SELECT status, 1 FROM changed
    ) AS moved GROUP BY status HAVING sum(step) <> 0;
    IF EXISTS (SELECT 1 FROM changed WHERE status = 'queued' AND NOT held) THEN
      ${inLine('changed')};
    END IF;
    RETURN NULL;
  END $$`,
]

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
  // Finds what nobody would ever look at again.
  `CREATE INDEX tickets_broken ON tickets (seq) WHERE ${BROKEN}`,
  // An empty text: an earlier release wrote the row, and its trace stands inside the event.
  "ALTER TABLE tickets ADD COLUMN trace text DEFAULT ''",
  'ALTER TABLE tickets ADD COLUMN wants_stream integer NOT NULL DEFAULT 0',
  `
  ALTER TABLE tickets ADD COLUMN paused_at bigint;
  CREATE INDEX tickets_paused ON tickets (paused_at) WHERE status = 'queued' AND NOT has_job;
  ALTER TABLE callbacks ADD COLUMN paused_at bigint;
  CREATE INDEX callbacks_paused ON callbacks (paused_at) WHERE status = 'pending';
  `,
  // Senders take turns, which no queue of pg-boss could tell: the store picks the tickets itself. Servers of an earlier
  // release that run beside it make jobs of their own for the tickets that have none, so the columns for them stay.
  `
  ALTER TABLE tickets ADD COLUMN sender text COLLATE "C" NOT NULL DEFAULT '';
  UPDATE tickets SET sender = caller WHERE status IN ('queued', 'in_progress') AND caller <> '';
  DROP INDEX tickets_without_job;
  DROP INDEX tickets_paused;
  CREATE INDEX tickets_in_turn ON tickets (sender, rank, seq)
    INCLUDE (not_before, paused_at, wanted_backend, priority) WHERE status = 'queued';
  CREATE TABLE turns (
    turn bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender text COLLATE "C" NOT NULL,
    served_at bigint NOT NULL
  );
  CREATE INDEX turns_by_sender ON turns (sender, turn);
  `,
  // Null: an earlier release wrote the row.
  'ALTER TABLE tickets ADD COLUMN outcome_crc bigint',
  ROWS_OF_LISTS,
  LINE_OF_SENDERS,
  // How a prompt begins, as a hash: a claim may prefer what a server has just read.
  `
  ALTER TABLE tickets ADD COLUMN prefix text;
  DROP INDEX tickets_in_turn;
  CREATE INDEX tickets_in_turn ON tickets (sender, rank, seq)
    INCLUDE (not_before, paused_at, wanted_backend, priority, prefix) WHERE status = 'queued' AND NOT held;
  `,
  // What was counted, minute by minute, for the charts of a console.
  `
  CREATE TABLE minutes (
    at bigint NOT NULL,
    worker text COLLATE "C" NOT NULL,
    counts text NOT NULL,
    PRIMARY KEY (at, worker)
  );
  `,
  // By which API it came in, and each time that a worker took it. Null: an earlier release wrote the row.
  `
  ALTER TABLE tickets ADD COLUMN door text COLLATE "C";
  ALTER TABLE tickets ADD COLUMN run_log text;
  CREATE INDEX tickets_by_door ON tickets (door, created_at, seq) WHERE door IS NOT NULL;
  `,
  'ALTER TABLE tickets ADD COLUMN is_chat integer NOT NULL DEFAULT 0',
  // In the words of `BROKEN`, which have changed: PostgreSQL uses the index only for a search in the same ones.
  ['DROP INDEX tickets_broken', `CREATE INDEX tickets_broken ON tickets (seq) WHERE ${BROKEN}`],
]

/**
 * Makes the schema and brings its table to the newest version. Several servers may start at the same time: one does it,
 * the others wait. Refuses a schema of a later release.
 */
export async function migrate(database: Database, schema: string, to = MIGRATIONS.length): Promise<void> {
  await database.transaction(
    async (transaction) => {
      await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `ai_ticket ${schema}`,
      ])
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
    },
    { isLong: true },
  )
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
