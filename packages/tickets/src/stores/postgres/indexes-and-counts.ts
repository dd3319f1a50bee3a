/**
 * Statements of a migration. Two tables are kept by triggers, in the transaction of whoever changes a ticket: metadata, so
 * that a list reads them in the order of time, and counts. Each change adds its difference to the counts as a row of its own:
 * one row a status would make all writers wait for each other.
 */
export const INDEXES_AND_COUNTS: readonly string[] = [
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
