import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createSqliteStore } from '../src/index.ts'
import { describeCallbackStore } from './callback-store-contract.ts'
import { describeDamagedRows } from './damaged-rows-contract.ts'
import { describeTicketRows } from './ticket-row-contract.ts'
import { describeTicketStore, type OpenStoreOptions } from './ticket-store-contract.ts'

const onDisk = async (options: OpenStoreOptions) =>
  createSqliteStore({ ...options, directory: join(mkdtempSync(join(tmpdir(), 'tickets-')), 'data') })
const inMemory = async (options: OpenStoreOptions) => createSqliteStore({ ...options, directory: ':memory:' })

describeTicketStore('SQLite on a disk', onDisk)
describeTicketStore('SQLite in memory', inMemory)
describeCallbackStore('SQLite in memory', inMemory)
describeTicketRows('SQLite in memory', inMemory)

describeDamagedRows('SQLite on a disk', async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'tickets-')), 'data')
  return {
    answerColumn: 'outcome',
    open: async (options) => createSqliteStore({ ...options, directory }),
    async run(sql) {
      using database = new DatabaseSync(join(directory, 'tickets.db'))
      database.exec(sql)
    },
  }
})

test('what it says of itself goes on after "kept in"', async () => {
  const store = await createSqliteStore({ directory: ':memory:' })
  expect(store.durability).toMatch(/^memory only:/)
  await store.close()
})
