import { type Clock, systemClock, type Timer } from '@ai-ticket/core'
import type { Client } from 'pg'
import type { Listening } from './database.ts'

export interface ListenOptions {
  readonly connect: () => Client
  readonly channel: string
  readonly onMessage: (message: string) => void
  readonly onError: (error: Error) => void
  readonly clock?: Clock
}

const RETRY_MS = 1_000
/** A connection that a router dropped says nothing: so often it is asked. */
const CHECK_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000

/**
 * A connection of its own that only listens, opened again whenever it ends. What is said meanwhile is not heard: who
 * listens must look by itself from time to time, too.
 */
export function listenForever(options: ListenOptions): Listening & { readonly ready: Promise<void> } {
  const { connect, channel, onMessage, onError, clock = systemClock } = options
  let client: Client | undefined
  let timer: Timer | undefined
  let isClosed = false

  async function open(): Promise<void> {
    const next = connect()
    client = next
    next.on('notification', ({ payload }) => payload !== undefined && onMessage(payload))
    next.on('error', (error) => lose(next, error))
    next.on('end', () => lose(next, new Error('The listening connection ended.')))
    try {
      await next.connect()
      await next.query(`LISTEN "${channel}"`)
      timer = clock.setTimer(() => void check(next), CHECK_MS)
    } catch (error) {
      lose(next, error as Error)
    }
  }

  async function check(current: Client): Promise<void> {
    const slow = clock.setTimer(
      () => lose(current, new Error('The listening connection is silent.')),
      CHECK_TIMEOUT_MS,
    )
    try {
      await current.query('SELECT 1')
      if (client === current) timer = clock.setTimer(() => void check(current), CHECK_MS)
    } catch (error) {
      lose(current, error as Error)
    } finally {
      slow.cancel()
    }
  }

  function lose(lost: Client, error: Error): void {
    if (isClosed || client !== lost) return
    client = undefined
    timer?.cancel()
    void lost.end().catch(() => {})
    onError(error)
    timer = clock.setTimer(() => void open(), RETRY_MS)
  }

  return {
    ready: open(),
    async close() {
      isClosed = true
      timer?.cancel()
      await client?.end().catch(() => {})
    },
  }
}
