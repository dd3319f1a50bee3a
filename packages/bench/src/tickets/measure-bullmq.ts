import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureAccepts } from './measure-accepts.ts'

export const BULLMQ_VERSION = '6.7.0'
const IOREDIS_VERSION = '6.0.0'

const REDIS = { host: '127.0.0.1', port: 6379 }

/** How fast BullMQ takes jobs in beside us; it is installed for that, and only where a Redis answers. */
export async function measureBullmq(load: {
  callers: number
  windowMs: number
}): Promise<{ readonly perSecond: number } | { readonly problem: string }> {
  if (!(await redisAnswers())) {
    return { problem: `no Redis answers on ${REDIS.host}:${REDIS.port}` }
  }
  const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-bench-bullmq-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const packages = [`bullmq@${BULLMQ_VERSION}`, `ioredis@${IOREDIS_VERSION}`]
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', ['install', ...flags, '--prefix', folder, ...packages], { stdio: 'ignore' })
    const { Queue } = createRequire(join(folder, 'package.json'))('bullmq') as BullMq
    const queue = new Queue(`ai-ticket-bench-${process.pid}`, { connection: REDIS })
    const accept = async (ticket: { readonly event: object }) => {
      await queue.add('event', ticket.event)
      return { type: 'created' }
    }
    const perSecond = await measureAccepts({ accept }, load)
    await queue.obliterate({ force: true })
    await queue.close()
    return { perSecond }
  } catch (error) {
    return { problem: `bullmq could not be measured: ${error instanceof Error ? error.message : error}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface BullMq {
  readonly Queue: new (
    name: string,
    options: { connection: typeof REDIS },
  ) => {
    add(name: string, data: object): Promise<unknown>
    obliterate(options: { force: boolean }): Promise<void>
    close(): Promise<void>
  }
}

async function redisAnswers(): Promise<boolean> {
  const socket = connect(REDIS)
  try {
    socket.setTimeout(1_000, () => socket.destroy(new Error('It is silent.')))
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    return String(answer).startsWith('+PONG')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
