import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { startDesk } from '../load/field/start-desk.ts'

/** Tickets a second that the published server answers 202, by a client in a process of its own. */
export async function measureHttpAccepts({
  connections,
  windowMs,
}: {
  connections: number
  windowMs: number
}): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-bench-'))
  // It works on one ticket for the whole time: only accepting is measured.
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 0.01 })
  await using desk = await startDesk({
    folder,
    backends: [{ name: 'slow', type: 'kobold', url: simulator.url, concurrency: 1 }],
  })
  const client = new URL('./http-client.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [
    client,
    desk.url,
    `${connections}`,
    `${windowMs}`,
  ])
  rmSync(folder, { recursive: true, force: true })
  return Number(stdout)
}
