import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/**
 * For the environment of a child that runs many times: it loads in a third of the processor time once one has called
 * `flushCompileCache`. By itself Node writes the cache when a process ends, and one that is killed does not get there.
 */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: join(tmpdir(), 'compile-cache') }

export interface Child {
  readonly process: ChildProcess
  /** Resolves with the first line that starts so, from now on or already there. */
  line(start: string): Promise<string>
  readonly lines: readonly string[]
  readonly errors: () => string
  /** Writes a line to its standard input. */
  tell(line: string): void
  /** Resolves when it has ended by itself or by a signal. */
  readonly ended: Promise<unknown>
  kill(signal?: NodeJS.Signals): Promise<void>
}

/** Runs a TypeScript program on the sources, as a process of its own. */
export function runChild(program: URL, env: Readonly<Record<string, string>> = {}): Child {
  const child = spawn(
    process.execPath,
    ['--conditions=@ai-ticket/source', '--no-warnings', program.pathname],
    {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  const lines: string[] = []
  let errors = ''
  const waiting = new Set<() => void>()
  const ended = once(child, 'close')
  // Who is told something may be dead already.
  child.stdin.on('error', () => {})
  child.stderr.on('data', (data) => {
    errors += data
  })
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  return {
    process: child,
    lines,
    errors: () => errors,
    line: (start) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find((line) => line.startsWith(start))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
        void ended.then(() => reject(new Error(`The child ended without "${start}": ${errors}`)))
      }),
    tell: (line) => void child.stdin.write(`${line}\n`),
    ended,
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await ended
    },
  }
}
