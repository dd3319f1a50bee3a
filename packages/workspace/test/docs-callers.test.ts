import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prose, ROOT, tableRows } from './markdown.ts'

// What docs/operations.md promises of callers and of failures, and the test that holds each line of it: a line that
// nobody holds does not pass, nor does one whose test is gone.

/** The file of a test, from `packages`, and words that stand in it. */
type Held = readonly [file: string, words: string]

const CALLERS: Readonly<Record<string, Held>> = {
  'a body of a million keys or values': [
    'server/test/body-limits.test.ts',
    'refuses a body with too much in it',
  ],
  'many large bodies at once': [
    'server/test/body-budget.test.ts',
    'bodies that wait or run have a budget of bytes, and one caller leaves room for another',
  ],
  '2,000 open requests': [
    'ai-ticket-server/test/fairness.test.ts',
    'open requests of one key, an event of another one waits for one turn',
  ],
  'a schema that multiplies with its answer': [
    'core/src/answer-schema/compile-schema.test.ts',
    '%s: judged in half a second',
  ],
  'a stream of an answer with a schema': [
    'core/src/answer-schema/read-partial.test.ts',
    'costs in proportion to the answer',
  ],
  'asking and not reading': [
    'server/test/slow-readers.test.ts',
    'answers that nobody reads have a budget: the oldest of the caller with the most gives way',
  ],
  'thousands of connections': [
    'server/test/edge-errors.test.ts',
    'an address with thousands of connections keeps no other one out',
  ],
  'thousands of requests before it reads': [
    'server/test/edge-errors.test.ts',
    'a connection with thousands of requests before the first answer is read is closed',
  ],
  'a page of another site that changes something': ['server/test/cross-site.test.ts', 'a page of %s changes'],
  'two `Host` headers': ['server/test/edge-errors.test.ts', 'two Hosts, the first of them good'],
  'large fields that no event has': [
    'server/test/body-limits.test.ts',
    'large fields that nobody reads are not held while an event waits',
  ],
  'anything that a backend cannot be sent': [
    'ai-ticket-server/test/fault-attribution.test.ts',
    'in process: fields and headers of an event',
  ],
  'anything that a backend refuses': [
    'ai-ticket-server/test/fault-attribution.test.ts',
    'every kind of refusal was among them',
  ],
  "a prompt that a backend's moderation stops": [
    'core/test/sloppy-replies.test.ts',
    'a refusal with %s says nothing of the server',
  ],
}

const FAILURES: Readonly<Record<string, Held>> = {
  'the disk is full': [
    'tickets/test/full-store.test.ts',
    'are held while the disk is full, for many leases, and written when there is room',
  ],
  'the disk fails to write or to sync': [
    'tickets/test/broken-disk.test.ts',
    'on a disk that is "%s" from any call on',
  ],
  'another program locks the SQLite file': [
    'tickets/test/sqlite-folder.test.ts',
    'waits for another program that holds the file without stopping its process, and not for ever',
  ],
  'the process is killed in mid-write': [
    'tickets/test/ledger.test.ts',
    'keeps them, whatever it was writing when it died',
  ],
  'the database file is removed or replaced': [
    'tickets/test/moved-files.test.ts',
    'takes nothing in once %s',
  ],
  'a bit flips in an outcome': [
    'tickets/test/damaged-rows-contract.ts',
    'hands out no outcome of which a bit has flipped, and says so',
  ],
  'the clock is set': [
    'tickets/test/ticket-store-contract.ts',
    'lets nobody wait longer because the clock was set back',
  ],
  'PostgreSQL goes away': [
    'tickets/test/postgres-outage.test.ts',
    'that goes away and comes back loses nothing, and nobody restarts',
  ],
  'the clock of PostgreSQL is set': [
    'tickets/src/stores/postgres/database.test.ts',
    'goes by the clock of the database, and sees when somebody sets it',
  ],
  'the network swallows what is sent': [
    'tickets/test/broken-commit.test.ts',
    'that falls silent altogether ends in an error, not in a wait for more than a minute',
  ],
  'the connection breaks during a commit': [
    'tickets/test/broken-commit.test.ts',
    'and nobody says what it did: 503 that says so, and names the Idempotency-Key',
  ],
  'a second server comes with the same name': [
    'tickets/test/worker-name.test.ts',
    'belongs to one process: a second one waits, and then is refused',
  ],
}

const PROMISES: Readonly<Record<string, Held>> = {
  'with the worst bodies of 16 MiB at every door': [
    'ai-ticket-server/test/standstill.test.ts',
    'no request takes the server away from the others, and none its memory',
  ],
  'Events take turns': [
    'ai-ticket-server/test/fairness.test.ts',
    'an event of another one waits for one turn',
  ],
  'Tickets take turns': [
    'ai-ticket-server/test/fairness.test.ts',
    'those of others wait for one round of the keys',
  ],
  'No sender fills the store': [
    'tickets/test/ticket-store-contract.ts',
    'keeps the last tenth of its places for those who have few',
  ],
  'Images are kept once': ['tickets/test/history.test.ts', 'keeps an image once'],
}

test.each([
  ['callers', ['what a caller tries', 'what happens', 'what the caller hears'], CALLERS],
  ['failures', ['failure', 'new tickets', 'accepted tickets'], FAILURES],
])('each line of the table of %s is held by a test', (_, head, held) => {
  const lines = tableRows('docs/operations.md', head).map((row) => row[head[0] ?? ''])
  expect(lines).toEqual(Object.keys(held))
})

test('what stands below the tables is held, too', () => {
  const text = prose('docs/operations.md')
  for (const words of Object.keys(PROMISES)) expect(text).toContain(words)
})

test.each(Object.entries({ ...CALLERS, ...FAILURES, ...PROMISES }))('%s', (_, [file, words]) => {
  expect(readFileSync(join(ROOT, 'packages', file), 'utf8')).toContain(words)
})
