import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../workspace/free-port.mjs'
import { type DeskBackend, startDesk } from '../src/load/field/start-desk.ts'
import { DOOR_NAMES, type DoorName } from '../src/torture/gateways/doors.ts'
import { ROWS, rowsBy } from '../src/torture/run-torture.ts'
import { tortureAll, tortureForeign } from '../src/torture/torture-all.ts'

async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-torture-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const scoreOf = (only: string, door: DoorName = 'chat') =>
  withFolder(async (folder) => {
    const [score] = await tortureAll({ folder, only, door, isSlow: false, say: () => {} })
    return score?.rows ?? []
  })

test.each(DOOR_NAMES)('the server passes every row by %s', async (door) => {
  const rows = await scoreOf('ai-ticket-server', door)
  expect(rows.filter(({ verdict }) => verdict !== 'pass')).toEqual([])
  expect(rows).toHaveLength(rowsBy(door).length)
})

const FAILED_BY_PLAIN = [
  'repeats of eight callers are spread',
  'a busy server (503) is waited for',
  'hang-up before the answer stops the KoboldCPP server',
  'hang-up while waiting costs nothing',
  '24 callers, a KoboldCPP',
  'a prompt that would be cut is noticed',
]

test('a plain server shows that rows can fail', async () => {
  const failed = new Set<string>()
  // A busy machine spreads even the repeats of those who all wait equally long.
  for (let runs = 0; runs < 3 && FAILED_BY_PLAIN.some((name) => !failed.has(name)); runs++) {
    for (const { name, verdict } of await scoreOf('ai-sdk')) if (verdict === 'fail') failed.add(name)
  }
  expect([...failed]).toEqual(expect.arrayContaining(FAILED_BY_PLAIN))
})

test('a gateway of somebody else is asked at its address, once it answers an ordinary call', async () => {
  const [openai, kobold] = [await freePort(), await freePort()]
  await withFolder(async (folder) => {
    const backends: DeskBackend[] = [
      { name: 'one', type: 'openai', url: `http://127.0.0.1:${openai}`, concurrency: 1 },
      { name: 'two', type: 'kobold', url: `http://127.0.0.1:${kobold}`, concurrency: 1 },
    ]
    await using desk = await startDesk({ folder, backends })
    const rows = ROWS.filter(({ name }) => /24 callers|schema|cut/.test(name))
    const options = { isSlow: false, say: () => {}, ports: { openai, kobold }, rows }
    const score = await tortureForeign({ ...options, url: desk.url, koboldModel: 'koboldcpp/torture-kobold' })
    expect(score.rows.map(({ name, verdict }) => [name, verdict])).toEqual(
      rows.map(({ name }) => [name, 'pass']),
    )
    const half = await tortureForeign({ ...options, url: desk.url })
    expect(half.rows.map(({ verdict }) => verdict)).toEqual(['pass', 'n/a', 'n/a', 'pass'])
    const nobody = { ...options, url: `http://127.0.0.1:${await freePort()}`, patienceMs: 0 }
    await expect(tortureForeign(nobody)).rejects.toThrow('answers nothing to an ordinary call')
  })
})
