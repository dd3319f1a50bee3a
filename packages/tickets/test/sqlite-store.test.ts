import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteStore } from '../src/index.ts'
import { describeTicketStore } from './ticket-store-contract.ts'

describeTicketStore('SQLite on a disk', async (options) =>
  createSqliteStore({ ...options, directory: join(mkdtempSync(join(tmpdir(), 'tickets-')), 'data') }),
)

describeTicketStore('SQLite in memory', async (options) =>
  createSqliteStore({ ...options, directory: ':memory:' }),
)
