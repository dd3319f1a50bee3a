import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runSoak, type SoakOptions } from '../src/soak/run-soak.ts'

const LEAK = fileURLToPath(new URL('../src/soak/leak.mjs', import.meta.url))

const options: SoakOptions = {
  seconds: 120,
  warmUpSeconds: 45,
  everySeconds: 3,
  share: 0.7,
  boxes: 4,
  connections: 200,
  seed: 3,
  heapMbPerMinute: 1,
  // The machine may be shared: a tenth of a second is what a loaded one shows. `npm run soak` wants 50.
  loopP99Ms: 250,
}

async function soak(more: Partial<SoakOptions>, preloads: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-soak-'))
  try {
    return await runSoak({ ...options, ...more, folder, preloads, say: () => {} })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('two minutes at 70 % of what the backends can do: nothing grows, nothing is lost', async () => {
  const report = await soak({})
  expect(report.problems).toEqual([])
  expect(report.verdict.heap.count).toBeGreaterThan(15)
  expect(report.reachedShare).toBeGreaterThan(0.4)
  expect(report.load.sent).toBeGreaterThan(2000)
})

test('a server that leaks memory, timers and listeners with every request is found out', async () => {
  const { problems, load } = await soak({ seconds: 24, warmUpSeconds: 6, everySeconds: 1 }, [LEAK])
  expect(load.lost).toBe(0)
  expect(problems.join('\n')).toMatch(/the heap grows by at least \d+\.\d+ MB a minute/)
  expect(problems.join('\n')).toMatch(/handles more at rest than before: .*Timeout/)
  expect(problems.join('\n')).toMatch(/listeners more on the process/)
})
