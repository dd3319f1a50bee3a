import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** What the process of the server holds, after a collection of garbage. */
export interface Holdings {
  /** In bytes. */
  readonly heapUsed: number
  readonly rss: number
  /** Active resources by their kind, as Node names them. */
  readonly handles: Readonly<Record<string, number>>
  /** Of the process itself. */
  readonly listeners: number
  /** How often Node warned of too many listeners on one emitter. */
  readonly listenerWarnings: number
  /** 99 % of the turns of the event loop were no later than this since the last reset, in milliseconds. */
  readonly loopP99Ms: number
}

const PATIENCE_MS = 30_000

/** Asks `inside.mjs`; `reset` starts a new account of the event loop. Rejects after 30 s without an answer. */
export async function askInside(child: ChildProcess, what: 'look' | 'reset' = 'look'): Promise<Holdings> {
  const answer = once(child, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })
  child.send(what)
  const [holdings] = await answer
  return holdings as Holdings
}
