import type { Timers } from '../../wire/simulated-tokens.ts'
import type { RecordedCall } from '../contract/recorded-call.ts'

/** Something that needs the model (or, as on the real server, only its turn: a 404 too). */
export interface Job {
  readonly genkey: string
  readonly call: RecordedCall | undefined
  start(): void
  /** Stops the generation and answers with the text so far. */
  abort(): void
  /** Stops without an answer: the server is gone. */
  kill(): void
  textSoFar(): string
}

/** One generation at a time; the others wait, first come, first served; beyond the room they are refused. */
export interface ModelQueue {
  readonly running: ReadonlySet<Job>
  readonly waiting: readonly Job[]
  /** False: no room. Starts the job at once if the model is free. */
  enter(job: Job): boolean
  leave(job: Job): void
  /** Whether the model is free, as perf says it. */
  idle(): boolean
  /** Takes everybody out, for a server that dies. */
  clear(): Job[]
}

interface ModelQueueOptions {
  readonly concurrency: number
  readonly waitingRoom: number
  readonly lockTailMs: number
  readonly timers: Timers
  onChange(): void
}

export function createModelQueue(options: ModelQueueOptions): ModelQueue {
  const running = new Set<Job>()
  const waiting: Job[] = []

  const startNext = () => {
    while (running.size < options.concurrency) {
      const job = waiting.shift()
      if (job === undefined) return
      running.add(job)
      job.start()
    }
  }
  const free = (job: Job) => {
    if (!running.delete(job)) return
    startNext()
    options.onChange()
  }
  return {
    running,
    waiting,
    enter(job) {
      if (running.size < options.concurrency && waiting.length === 0) {
        running.add(job)
        job.start()
        return true
      }
      if (waiting.length >= options.waitingRoom) return false
      waiting.push(job)
      return true
    },
    leave(job) {
      if (options.lockTailMs > 0) options.timers.later(options.lockTailMs, () => free(job))
      else free(job)
    },
    idle: () => running.size === 0,
    clear() {
      const all = [...running, ...waiting]
      running.clear()
      waiting.length = 0
      return all
    },
  }
}
