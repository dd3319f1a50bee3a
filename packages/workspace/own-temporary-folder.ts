import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMES = ['TMPDIR', 'TEMP', 'TMP'] as const

/**
 * For Vitest's `globalSetup`: all tests of a run, and the programs that they start, put their temporary files into one
 * folder, which is gone when the run ends.
 */
export default function setup(): () => void {
  const before = NAMES.map((name) => [name, process.env[name]] as const)
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ai-ticket-tests-')))
  for (const name of NAMES) process.env[name] = folder
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}
