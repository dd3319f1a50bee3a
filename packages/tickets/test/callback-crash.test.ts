import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createSqliteStore } from '../src/index.ts'
import { startCallbackReceiver } from './callback-receiver.ts'
import { COMPILE_CACHE, runChild } from './run-child.ts'

const CHILD = new URL('./callback-child.ts', import.meta.url)

// The commits: accept, adopt, claim, settle, claim of the delivery, its record; between the last two it is sent.
const POINTS: readonly (readonly [dieAt: string, times: number, isLong?: boolean])[] = [
  ['commit:4', 1],
  ['committed:4', 1],
  ['commit:5', 1, true],
  ['committed:5', 1, true],
  ['send:1', 1],
  ['sent:1', 2],
  ['commit:6', 2, true],
  ['committed:6', 1, true],
]
const isLong = process.env.AI_TICKET_LONG === '1'

it.concurrent.each(POINTS.filter(([, , needsLong]) => isLong || !needsLong))(
  'tells the receiver, after a death at %s, %i times under one id',
  async (dieAt, times) => {
    await using receiver = await startCallbackReceiver(200)
    const directory = join(mkdtempSync(join(tmpdir(), 'callbacks-')), 'data')
    const start = (more = {}) =>
      runChild(CHILD, { ...COMPILE_CACHE, DIRECTORY: directory, RECEIVER: receiver.url, ...more })
    await expect(start({ DIE_AT: dieAt }).line('never')).rejects.toThrow('ended')
    const second = start()
    // Recorded before the death: nothing is left to do.
    if (dieAt === 'committed:6') await second.line('ready')
    else await second.line('delivered')
    await second.kill('SIGKILL')
    await using store = createSqliteStore({ directory })
    const [ticket] = (await store.list({})).tickets
    const id = ticket?.id ?? ''
    expect((await store.callbacks.find([id])).get(id)?.status).toBe('delivered')
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual(
      Array(times).fill(id.replace('tkt_', 'msg_')),
    )
  },
  120_000,
)
