// `npm run bench:claims [--claims 200]`: how long it takes to claim one ticket out of a backlog, on SQLite and on the
// PostgreSQL of AI_TICKET_TEST_POSTGRES_URL.
import { markdownTable } from '../numbers/markdown-table.ts'
import { numberFlags } from '../numbers/number-flags.ts'
import { postgresKind, sqliteKind } from './bench-stores.ts'
import { BACKLOGS, measureClaims } from './measure-claims.ts'

const HELP = `npm run bench:claims: how long it takes to claim one ticket out of a backlog, on SQLite, and on the PostgreSQL that
AI_TICKET_TEST_POSTGRES_URL names.

  --claims <number>   claims that are timed in each backlog, default 200
  --help
`

/** Milliseconds at the median. */
const TARGET_MS = 5

const flags = numberFlags({ help: HELP, defaults: { claims: 200 } })
if (flags !== undefined) {
  const postgresUrl = process.env.AI_TICKET_TEST_POSTGRES_URL
  const rows: string[][] = []
  for (const kind of [sqliteKind, ...(postgresUrl ? [postgresKind(postgresUrl)] : [])]) {
    for (const backlog of BACKLOGS) {
      process.stderr.write(`${backlog.name} on ${kind.name} …\n`)
      await using opened = await kind.open()
      const figure = await measureClaims(opened.store, backlog, { ...flags.numbers, now: Date.now() })
      const { medianMs, p95Ms, choosingMs } = figure
      const isReached = Math.max(medianMs, choosingMs) <= TARGET_MS ? 'reached' : 'MISSED'
      const times = [medianMs, p95Ms, choosingMs].map((ms) => ms.toFixed(1))
      rows.push([backlog.name, kind.name, ...times, isReached])
    }
  }
  const head = ['waiting', 'store', 'median, ms', '95 %', 'looking ahead', `≤ ${TARGET_MS} ms`]
  process.stdout.write(`${markdownTable(head, rows)}\n`)
}
