import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runLoad } from '../src/load/run-load.ts'

test('thirty seconds of everything at once: nothing is lost, no slot is exceeded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-load-'))
  try {
    const load = { seconds: 30, rate: 40, connections: 200, boxes: 4, seed: 11 }
    const report = await runLoad({ ...load, folder, say: () => {} })
    expect(report.problems).toEqual([])
    expect(report.lost).toBe(0)
    expect(report.sent).toBeGreaterThan(800)
    expect(report.hungUp).toBeGreaterThan(50)
    expect(report.tickets.accepted).toBeGreaterThan(80)
    expect(report.backends.map(({ mostAtOnce }) => mostAtOnce)).toEqual([1, 1, 1, 1])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
