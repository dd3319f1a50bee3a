import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** Programs of the build; `turbo run build` makes them. */
export const SERVER = fileURLToPath(new URL('../dist/serve.js', import.meta.url))
export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))

type Environment = Readonly<Record<string, string>>

/** An empty folder. */
const NOWHERE = mkdtempSync(join(tmpdir(), 'ai-ticket-nowhere-'))

/** What one of the programs has compiled, the others read. */
const COMPILE_CACHE = join(tmpdir(), 'compile-cache')

/** Only what the program needs, so that the variables of whoever runs the tests change nothing. */
export const cleanEnvironment = (given: Environment) => ({
  PATH: process.env.PATH ?? '',
  // Servers of several tests run in one folder at a time.
  AI_TICKET_DATA_DIR: ':memory:',
  // Nor their own configuration, nor that of the folder in which the tests run.
  XDG_CONFIG_HOME: NOWHERE,
  NODE_COMPILE_CACHE: COMPILE_CACHE,
  ...given,
})

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: { environment?: Environment; input?: string | Buffer; folder?: string } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [path, ...args], {
    cwd: options.folder ?? NOWHERE,
    env: cleanEnvironment(options.environment ?? {}),
  })
  child.stdin.end(options.input ?? '')
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exitOf(child)])
  return { code, stdout, stderr }
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'close')
  return code
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
  /** Log lines so far, parsed. */
  readonly lines: readonly Record<string, unknown>[]
  /** Resolves with the first log line, past or future, whose message matches. */
  waitForLine(pattern: RegExp): Promise<Record<string, unknown>>
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

let filled: Promise<void> | undefined

/** Starts `ai-ticket-server` on a free port and waits until it listens. Killed at the end of the block. */
export async function startServer(
  args: readonly string[],
  environment: Environment = {},
): Promise<RunningServer> {
  filled ??= fillCompileCache()
  await filled
  return await openServer(args, environment)
}

/** Node writes what it has compiled when a process ends by itself, which those that are killed do not do. Once for a run. */
async function fillCompileCache(): Promise<void> {
  try {
    mkdirSync(`${COMPILE_CACHE}-of-servers`)
  } catch {
    return
  }
  const { child, ended } = await openServer(['--kobold-url', 'http://127.0.0.1:9'], {})
  child.kill('SIGTERM')
  await ended
}

async function openServer(args: readonly string[], environment: Environment): Promise<RunningServer> {
  const child = spawn(process.execPath, [SERVER, '--port', '0', ...args], {
    cwd: NOWHERE,
    env: cleanEnvironment(environment),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = exitOf(child)
  const log = readLog(child)
  const running = {
    child,
    lines: log.lines,
    waitForLine: log.waitForLine,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
  const { message } = await log.waitForLine(/^Listening on /)
  return { ...running, url: String(message).replace('Listening on ', '') }
}

function readLog(child: ChildProcess) {
  const lines: Record<string, unknown>[] = []
  const watchers = new Set<() => void>()
  let open = true
  let rest = ''
  const notify = () => {
    for (const watcher of watchers) watcher()
  }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.map((part) => JSON.parse(part) as Record<string, unknown>))
    notify()
  })
  child.on('close', () => {
    open = false
    notify()
  })
  const waitForLine = (pattern: RegExp) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const check = () => {
        const line = lines.find(({ message }) => pattern.test(String(message)))
        if (line === undefined && open) return
        watchers.delete(check)
        if (line !== undefined) resolve(line)
        else reject(new Error(`The program ended before it said ${pattern}: ${JSON.stringify(lines)}`))
      }
      watchers.add(check)
      check()
    })
  return { lines, waitForLine }
}
