import type { RecordedAbort } from '../contract/recorded-call.ts'
import type { ResolvedOptions } from '../contract/simulator-options.ts'
import type { Job, ModelQueue } from './model-queue.ts'

/** Who may abort and look in: the rules about `genkey`, as recorded. */
export interface GenkeyDesk {
  /** The key of the generation that runs or ran last. */
  begin(genkey: string, job: Job): void
  finished(text: string): void
  /** Whether this waiting call was aborted before its turn. Only one key is remembered, and only once. */
  abortedWhileWaiting(genkey: string): boolean
  /** `slow`: answered after a pause, since something was told to stop. */
  abort(genkey: string): { readonly result: RecordedAbort['result']; readonly slow: boolean }
  check(genkey: string): string
}

const yes = { success: 'true', done: 'true' } as const
const remembered = { success: 'true', done: 'false' } as const
const no = { success: 'false', done: 'false' } as const

export function createGenkeyDesk(queue: ModelQueue, options: ResolvedOptions): GenkeyDesk {
  let currentKey = ''
  let current: Job | undefined
  let pendingAbortKey = ''
  let lastText = ''
  // With continuous batching a server says that it aborted and goes on.
  const stops = options.concurrency === 1 || options.abortWhenParallel

  const abortRunning = (genkey: string) => {
    if (!stops) return
    for (const job of [...queue.running]) {
      if (job.call !== undefined && (genkey === '' || job.genkey === genkey)) job.abort()
    }
  }
  const isRunningKey = (genkey: string) =>
    genkey === currentKey || [...queue.running].some((job) => job.genkey === genkey)
  const mayTouch = (genkey: string) => (genkey === '' ? queue.waiting.length === 0 : isRunningKey(genkey))

  return {
    begin(genkey, job) {
      currentKey = genkey
      current = job
    },
    finished(text) {
      lastText = text
    },
    abortedWhileWaiting(genkey) {
      if (genkey === '' || genkey !== pendingAbortKey) return false
      pendingAbortKey = ''
      return true
    },
    abort(genkey) {
      if (mayTouch(genkey)) {
        abortRunning(genkey)
        return { result: yes, slow: true }
      }
      if (genkey === '' || queue.waiting.length === 0) return { result: no, slow: false }
      pendingAbortKey = genkey
      return { result: remembered, slow: false }
    },
    check(genkey) {
      if (options.concurrency > 1 || genkey !== currentKey || !mayTouch(genkey)) return ''
      return current !== undefined && queue.running.has(current) ? current.textSoFar() : lastText
    },
  }
}
