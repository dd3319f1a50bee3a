import type { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { BROKEN } from '../mend-statement.ts'

/** One text a version, in order; a published one is never changed, the next one mends it. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE tickets (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    caller TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    expires_at INTEGER,
    not_before INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    replay_of TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    runs INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    session TEXT,
    lease_until INTEGER,
    cancel_requested_at INTEGER,
    call_backend TEXT,
    call_endpoint TEXT,
    call_key TEXT,
    call_started_at INTEGER,
    wanted_backend TEXT,
    backend TEXT,
    model TEXT,
    error TEXT,
    last_error TEXT,
    last_details TEXT,
    partial TEXT,
    attempts TEXT NOT NULL DEFAULT '[]',
    outcome TEXT,
    idempotency_scope TEXT,
    idempotency_key TEXT,
    idempotency_fingerprint TEXT,
    idempotency_until INTEGER,
    event TEXT
  ) STRICT;
  CREATE INDEX tickets_waiting ON tickets (rank, seq) WHERE status = 'queued';
  CREATE INDEX tickets_due ON tickets (not_before) WHERE status = 'queued';
  CREATE INDEX tickets_expiring ON tickets (expires_at) WHERE status = 'queued' AND expires_at IS NOT NULL;
  CREATE INDEX tickets_held ON tickets (lease_until) WHERE status = 'in_progress';
  CREATE UNIQUE INDEX tickets_idempotency ON tickets (idempotency_scope, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX tickets_by_status ON tickets (status, seq);
  CREATE INDEX tickets_by_backend ON tickets (backend, seq) WHERE backend IS NOT NULL;
  CREATE INDEX tickets_by_model ON tickets (model, seq) WHERE model IS NOT NULL;
  CREATE INDEX tickets_by_error ON tickets (error, seq) WHERE error IS NOT NULL;
  CREATE INDEX tickets_by_event ON tickets (event_id, seq);
  CREATE INDEX tickets_by_time ON tickets (created_at);
  CREATE INDEX tickets_by_end ON tickets (finished_at) WHERE finished_at IS NOT NULL;
  CREATE INDEX tickets_by_origin ON tickets (replay_of, seq) WHERE replay_of IS NOT NULL;

  -- Counting a million rows for every accept and every look at the numbers would take too long.
  CREATE TABLE counts (status TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counts VALUES ('queued', 0), ('in_progress', 0), ('completed', 0), ('failed', 0), ('cancelled', 0);
  CREATE TRIGGER tickets_added AFTER INSERT ON tickets BEGIN
    UPDATE counts SET number = number + 1 WHERE status = NEW.status;
  END;
  CREATE TRIGGER tickets_moved AFTER UPDATE OF status ON tickets WHEN OLD.status <> NEW.status BEGIN
    UPDATE counts SET number = number - 1 WHERE status = OLD.status;
    UPDATE counts SET number = number + 1 WHERE status = NEW.status;
  END;
  CREATE TRIGGER tickets_removed AFTER DELETE ON tickets BEGIN
    UPDATE counts SET number = number - 1 WHERE status = OLD.status;
  END;
  `,
  // Dead letters are kept for longer than the rest.
  `
  DROP INDEX tickets_by_end;
  CREATE INDEX tickets_by_end ON tickets (finished_at)
    WHERE finished_at IS NOT NULL AND NOT (kind = 'ticket' AND status = 'failed');
  CREATE INDEX tickets_dead ON tickets (finished_at)
    WHERE finished_at IS NOT NULL AND kind = 'ticket' AND status = 'failed';
  `,
  `
  ALTER TABLE tickets ADD COLUMN callback_url TEXT;
  CREATE TABLE callbacks (
    ticket_id TEXT PRIMARY KEY REFERENCES tickets (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    status TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    token INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    attempts TEXT NOT NULL
  ) STRICT;
  CREATE INDEX callbacks_due ON callbacks (due_at) WHERE status = 'pending';
  `,
  // Every list is in the order of time, read from the index of what is asked for.
  `
  DROP INDEX tickets_by_status;
  DROP INDEX tickets_by_backend;
  DROP INDEX tickets_by_model;
  DROP INDEX tickets_by_error;
  DROP INDEX tickets_by_event;
  DROP INDEX tickets_by_origin;
  DROP INDEX tickets_by_time;
  CREATE INDEX tickets_by_status ON tickets (status, created_at);
  CREATE INDEX tickets_by_kind ON tickets (kind, created_at);
  CREATE INDEX tickets_by_caller ON tickets (caller, created_at) WHERE caller <> '';
  CREATE INDEX tickets_by_event ON tickets (event_id, created_at);
  CREATE INDEX tickets_by_backend ON tickets (backend, created_at) WHERE backend IS NOT NULL;
  CREATE INDEX tickets_by_model ON tickets (model, created_at) WHERE model IS NOT NULL;
  CREATE INDEX tickets_by_error ON tickets (error, created_at) WHERE error IS NOT NULL;
  CREATE INDEX tickets_by_origin ON tickets (replay_of, created_at) WHERE replay_of IS NOT NULL;
  CREATE INDEX tickets_by_key ON tickets (idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;

  CREATE TABLE ticket_metadata (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (name, value, created_at, seq)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO ticket_metadata
    SELECT key, substr(value, 1, 200), created_at, seq
    FROM tickets, json_each(tickets.event, '$.metadata') WHERE event IS NOT NULL AND json_each.type = 'text';
  CREATE TRIGGER tickets_metadata_removed AFTER DELETE ON tickets WHEN OLD.event IS NOT NULL BEGIN
    DELETE FROM ticket_metadata WHERE (name, value, created_at, seq) IN (
      SELECT key, substr(value, 1, 200), OLD.created_at, OLD.seq
      FROM json_each(OLD.event, '$.metadata') WHERE type = 'text');
  END;
  `,
  // Finds what nobody would ever look at again. A ticket whose event is no JSON can be removed as well.
  `
  CREATE INDEX tickets_broken ON tickets (seq) WHERE ${BROKEN};
  DROP TRIGGER tickets_metadata_removed;
  CREATE TRIGGER tickets_metadata_removed AFTER DELETE ON tickets WHEN json_valid(OLD.event) BEGIN
    DELETE FROM ticket_metadata WHERE (name, value, created_at, seq) IN (
      SELECT key, substr(value, 1, 200), OLD.created_at, OLD.seq
      FROM json_each(OLD.event, '$.metadata') WHERE type = 'text');
  END;
  CREATE TRIGGER tickets_metadata_lost AFTER DELETE ON tickets WHEN NOT json_valid(OLD.event) BEGIN
    DELETE FROM ticket_metadata WHERE seq = OLD.seq;
  END;
  `,
  // An empty text: an earlier release wrote the row, and its trace stands inside the event.
  "ALTER TABLE tickets ADD COLUMN trace TEXT DEFAULT '';",
  'ALTER TABLE tickets ADD COLUMN wants_stream INTEGER NOT NULL DEFAULT 0;',
  `
  ALTER TABLE tickets ADD COLUMN paused_at INTEGER;
  ALTER TABLE callbacks ADD COLUMN paused_at INTEGER;
  CREATE INDEX callbacks_paused ON callbacks (paused_at) WHERE status = 'pending';
  `,
  // Senders take turns. What tells whether a ticket is due stands in the index, for a claim may pass over many.
  `
  ALTER TABLE tickets ADD COLUMN sender TEXT NOT NULL DEFAULT '';
  UPDATE tickets SET sender = caller WHERE status IN ('queued', 'in_progress') AND caller <> '';
  DROP INDEX tickets_waiting;
  CREATE INDEX tickets_in_turn ON tickets (sender, rank, seq, not_before, paused_at, wanted_backend)
    WHERE status = 'queued';
  CREATE TABLE turns (turn INTEGER PRIMARY KEY, sender TEXT NOT NULL UNIQUE, served_at INTEGER NOT NULL) STRICT;
  `,
  // Null: an earlier release wrote the row.
  'ALTER TABLE tickets ADD COLUMN outcome_crc INTEGER;',
  // Rows of lists. Tickets that are there already have none, and are read whole: to make them here would read every event.
  `
  CREATE TABLE ticket_rows (
    seq INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    prompt TEXT,
    answer TEXT,
    facts TEXT,
    wasted_ms INTEGER NOT NULL DEFAULT 0,
    callback TEXT
  ) STRICT;
  CREATE INDEX ticket_rows_wasted ON ticket_rows (created_at) WHERE wasted_ms > 0;
  CREATE INDEX ticket_rows_by_callback ON ticket_rows (callback, created_at) WHERE callback IS NOT NULL;
  INSERT INTO ticket_rows (seq, created_at, callback)
    SELECT tickets.seq, tickets.created_at, callbacks.status
    FROM callbacks CROSS JOIN tickets ON tickets.id = callbacks.ticket_id;
  INSERT INTO ticket_rows (seq, created_at, callback)
    SELECT seq, created_at, 'waiting' FROM tickets
    WHERE status IN ('queued', 'in_progress') AND callback_url IS NOT NULL;
  CREATE TRIGGER ticket_rows_removed AFTER DELETE ON tickets BEGIN
    DELETE FROM ticket_rows WHERE seq = OLD.seq;
  END;
  CREATE TRIGGER callbacks_added AFTER INSERT ON callbacks BEGIN
    UPDATE ticket_rows SET callback = NEW.status WHERE seq = (SELECT seq FROM tickets WHERE id = NEW.ticket_id);
  END;
  CREATE TRIGGER callbacks_moved AFTER UPDATE OF status ON callbacks WHEN OLD.status <> NEW.status BEGIN
    UPDATE ticket_rows SET callback = NEW.status WHERE seq = (SELECT seq FROM tickets WHERE id = NEW.ticket_id);
  END;
  `,
  // What begins later is not in line: thousands of such tickets must not be passed over by each claim.
  `
  ALTER TABLE tickets ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
  UPDATE tickets SET held = 1 WHERE status = 'queued' AND not_before > coalesce(paused_at, created_at);
  DROP INDEX tickets_in_turn;
  CREATE INDEX tickets_in_turn ON tickets (sender, rank, seq, not_before, paused_at, wanted_backend, priority)
    WHERE status = 'queued' AND held = 0;
  CREATE INDEX tickets_asleep ON tickets (not_before) WHERE status = 'queued' AND held = 1;
  CREATE INDEX tickets_paused ON tickets (paused_at) WHERE status = 'queued' AND held = 1;
  CREATE INDEX tickets_asleep_of ON tickets (sender) WHERE status = 'queued' AND held = 1;
  `,
  // How a prompt begins, as a hash: a claim may prefer what a server has just read. In the index, so that it is read without the row.
  `
  ALTER TABLE tickets ADD COLUMN prefix TEXT;
  DROP INDEX tickets_in_turn;
  CREATE INDEX tickets_in_turn
    ON tickets (sender, rank, seq, not_before, paused_at, wanted_backend, priority, prefix)
    WHERE status = 'queued' AND held = 0;
  `,
  // What was counted, minute by minute, for the charts of a console.
  `
  CREATE TABLE minutes (
    at INTEGER NOT NULL,
    worker TEXT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (at, worker)
  ) STRICT, WITHOUT ROWID;
  `,
  // By which API it came in, and each time that a worker took it. Null: an earlier release wrote the row.
  `
  ALTER TABLE tickets ADD COLUMN door TEXT;
  ALTER TABLE tickets ADD COLUMN run_log TEXT;
  CREATE INDEX tickets_by_door ON tickets (door, created_at) WHERE door IS NOT NULL;
  `,
  'ALTER TABLE tickets ADD COLUMN is_chat INTEGER NOT NULL DEFAULT 0;',
  // Its condition is evaluated for every row that is written, and became cheaper.
  `
  DROP INDEX tickets_broken;
  CREATE INDEX tickets_broken ON tickets (seq) WHERE ${BROKEN};
  `,
]

/** Brings the file to the newest version, whole or not at all. Refuses a file of a later release. */
export function migrate(database: DatabaseSync, file: string, to = MIGRATIONS.length): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
  if (version > MIGRATIONS.length) {
    throw new StoreUnavailable(
      'broken',
      `${file} was written by a later release (version ${version}, this one knows ${MIGRATIONS.length}). Update AI Ticket.`,
    )
  }
  if (version >= to) return
  database.exec('BEGIN IMMEDIATE')
  try {
    for (const migration of MIGRATIONS.slice(version, to)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${to}`)
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
