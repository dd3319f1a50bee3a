import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '@ai-ticket/core'
import { expect, it } from 'vitest'
import { createSqliteStore } from '../src/index.ts'
import { openTicketServer } from './open-ticket-server.ts'

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'tickets-')), 'data')

const WAYS: readonly [what: string, how: (folder: string) => void][] = [
  ['the file is removed', (folder) => unlinkSync(join(folder, 'tickets.db'))],
  [
    'the file is replaced by a copy',
    (folder) => {
      const file = join(folder, 'tickets.db')
      copyFileSync(file, `${file}.copy`)
      renameSync(`${file}.copy`, file)
    },
  ],
  ['its log is removed', (folder) => unlinkSync(join(folder, 'tickets.db-wal'))],
  ['the lock is removed', (folder) => unlinkSync(join(folder, 'tickets.lock'))],
  ['the folder is removed', (folder) => rmSync(folder, { recursive: true })],
  [
    'the folder is replaced by another one',
    (folder) => {
      renameSync(folder, `${folder}.old`)
      mkdirSync(folder)
    },
  ],
]

it.each(WAYS)('takes nothing in once %s, and says so in log and /health', async (_what, how) => {
  const directory = newFolder()
  const errors: string[] = []
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (_message, fields) => void errors.push(String(fields?.error)),
  }
  await using at = await openTicketServer({
    store: createSqliteStore({ directory }),
    desk: { logger, leaseMs: 150 },
  })
  expect((await at.post('/tickets', { content: 'Why?' })).status).toBe(202)
  how(directory)
  const refused = await at.post('/tickets', { content: 'Why?' })
  expect(refused).toMatchObject({ status: 503, body: { error: 'store_unavailable' } })
  expect(refused.text).not.toContain(directory)
  await expect.poll(() => errors.join()).toMatch(/was removed or replaced/)
  expect((await at.get('/health')).body).toMatchObject({
    status: 'degraded',
    ticket_store: { status: 'unavailable', details: expect.stringContaining('removed or replaced') },
  })
})

it('goes on when the file is put back', async () => {
  const directory = newFolder()
  await using at = await openTicketServer({ store: createSqliteStore({ directory }) })
  renameSync(directory, `${directory}.old`)
  expect((await at.post('/tickets', { content: 'Why?' })).status).toBe(503)
  renameSync(`${directory}.old`, directory)
  expect((await at.post('/tickets', { content: 'Why?' })).status).toBe(202)
})

it('tells nobody of a commit to a file that was removed meanwhile', async () => {
  const directory = newFolder()
  let isRemoved = false
  await using at = await openTicketServer({
    store: createSqliteStore({
      directory,
      onStep(step) {
        if (step === 'commit' && isRemoved) rmSync(directory, { recursive: true })
      },
    }),
  })
  isRemoved = true
  expect((await at.post('/tickets', { content: 'Why?' })).status).toBe(503)
})
