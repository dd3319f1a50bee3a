import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const PORTKEY_VERSION = '1.15.2'

/**
 * Installs the gateway we compare with, once, apart from the workspace: its 95 packages are nobody else's business.
 * Returns the file that starts it, or why there is none.
 */
export async function installPortkey(): Promise<{ startScript: string } | { problem: string }> {
  const folder = fileURLToPath(
    new URL(`../../node_modules/.cache/portkey-${PORTKEY_VERSION}`, import.meta.url),
  )
  const startScript = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js')
  if (existsSync(startScript)) return { startScript }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  try {
    await promisify(execFile)(npm, ['install', ...flags, `@portkey-ai/gateway@${PORTKEY_VERSION}`], {
      cwd: folder,
      timeout: 120_000,
      shell: process.platform === 'win32',
    })
  } catch (error) {
    return { problem: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) }
  }
  return existsSync(startScript) ? { startScript } : { problem: 'the package has no build/start-server.js' }
}
