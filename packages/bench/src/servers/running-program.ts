import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from './contender.ts'

/** A server in a process of its own. */
export interface RunningProgram extends AsyncDisposable {
  readonly pid: number
  readonly child: ChildProcess
  readonly url: string
  /** From the start of the process to its first 200, in milliseconds. */
  readonly startMs: number
  /** Like `kill -9`; resolves when it is gone. */
  kill(): Promise<void>
}

export interface StartPlace {
  readonly name: string
  readonly port: number
  readonly folder: string
  readonly healthPath: string
}

/** A bench that breaks off must not leave servers behind, which would spoil the next one. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const START_LIMIT_MS = 20_000
const ASK_EVERY_MS = 2

/** Starts it and waits until it answers. Rejects with what it printed if it ends before. */
export async function startProgram(makeProgram: () => Program, place: StartPlace): Promise<RunningProgram> {
  const { port, folder, name, healthPath } = place
  mkdirSync(folder, { recursive: true })
  const program = makeProgram()
  const log = program.keepsLog ? openSync(join(folder, `${port}.log`), 'a') : 'ignore'
  const startedAt = performance.now()
  const child = spawn(process.execPath, program.args, {
    env: { ...environment(), ...program.environment },
    stdio: ['ignore', log, 'pipe', ...(program.withChannel ? (['ipc'] as const) : [])],
  })
  if (typeof log === 'number') closeSync(log)
  children.add(child)
  child.once('close', () => children.delete(child))
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const onEarlyEnd = (code: number | null, signal: string | null) => {
    process.stderr.write(`${name} has ended with ${code ?? signal}:\n${complaint}\n`)
  }
  const end = async () => {
    child.off('close', onEarlyEnd)
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(3000, undefined, { ref: false })])
    child.kill('SIGKILL')
    await ended
  }
  const kill = async () => {
    child.off('close', onEarlyEnd)
    child.kill('SIGKILL')
    await ended
  }
  const url = `http://127.0.0.1:${port}`
  while (!(await answers(url + healthPath))) {
    if (child.exitCode !== null) throw new Error(`${name} did not start:\n${complaint}`)
    if (performance.now() - startedAt > START_LIMIT_MS) {
      await end()
      throw new Error(`${name} did not answer ${healthPath} within ${START_LIMIT_MS} ms:\n${complaint}`)
    }
    await sleep(ASK_EVERY_MS)
  }
  child.once('close', onEarlyEnd)
  const startMs = performance.now() - startedAt
  return { pid: child.pid ?? 0, child, url, startMs, kill, [Symbol.asyncDispose]: end }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (reply) => {
      await reply.arrayBuffer()
      return reply.status === 200
    },
    () => false,
  )

/** What a user has set for real use must not change what is measured. */
function environment(): NodeJS.ProcessEnv {
  const own = /^(PORT|HOST|LOG_LEVEL|NODE_OPTIONS|AI_TICKET_.*|KOBOLDCPP_.*)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}
