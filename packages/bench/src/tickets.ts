// `npm run bench:tickets [--tickets 1000000] [--seconds 3] [--rounds 3] [--repeats 20] [--json file]`: how fast tickets are taken
// in, listed and handed to free slots, on SQLite and on the PostgreSQL of AI_TICKET_TEST_POSTGRES_URL.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { numberFlags } from './numbers/number-flags.ts'
import { postgresKind, sqliteKind } from './tickets/bench-stores.ts'
import { takeTicketFigures } from './tickets/ticket-figures.ts'
import { writeTicketReport } from './tickets/ticket-report.ts'

const HELP = `npm run bench:tickets: how fast tickets are taken in, listed and handed to free slots. PostgreSQL is measured where
AI_TICKET_TEST_POSTGRES_URL names one, BullMQ where a Redis answers on 127.0.0.1:6379.

  --tickets <number>   tickets in the store whose list is asked, default 1,000,000
  --seconds <number>   length of a round of accepts, default 3
  --rounds <number>    rounds of accepts, default 3
  --repeats <number>   times each list is asked, default 20
  --json <file>        write all figures there
  --help
`
const DEFAULTS = { tickets: 1_000_000, seconds: 3, rounds: 3, repeats: 20 }

const flags = numberFlags({ help: HELP, defaults: DEFAULTS, texts: ['json'] })
if (flags !== undefined) {
  const say = (what: string) => process.stderr.write(`${what} …\n`)
  const postgresUrl = process.env.AI_TICKET_TEST_POSTGRES_URL
  if (!postgresUrl) say('PostgreSQL is NOT measured: AI_TICKET_TEST_POSTGRES_URL names none')
  const figures = await takeTicketFigures({
    ...flags.numbers,
    kinds: [sqliteKind, ...(postgresUrl ? [postgresKind(postgresUrl)] : [])],
    now: Date.now(),
    say,
  })
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`
  process.stdout.write(`# Tickets\n\n${machine}.\n\n${writeTicketReport(figures)}`)
  if (flags.texts.json !== undefined)
    writeFileSync(flags.texts.json, `${JSON.stringify({ machine, ...figures }, null, 2)}\n`)
}
