import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ROOT } from './markdown.ts'

export interface Finished {
  readonly out: string
  readonly err: string
  readonly exitCode: number | null
}

/**
 * Runs a program against the build of all packages, from the root, with these variables beside PATH. Not against the
 * sources: they hold `await using`, which Node 22 cannot read.
 */
export async function runProgram(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [...args], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      NO_COLOR: '1',
      AI_TICKET_DATA_DIR: ':memory:',
      NODE_COMPILE_CACHE: join(tmpdir(), 'compile-cache'),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [out, err, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { out, err, exitCode }
}
