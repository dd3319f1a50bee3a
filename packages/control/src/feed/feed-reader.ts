import type { TicketQuery, TicketRow, TicketStore } from '@ai-ticket/tickets'
import { ticketRowBody } from '@ai-ticket/tickets/fastify'
import type { FeedEvents } from '../bodies/feed.ts'
import type { Change } from './ring.ts'

/** What a reader may ask for. */
export type FeedPart = 'desk' | 'line' | 'ticket' | 'config'
export const FEED_PARTS: readonly FeedPart[] = ['desk', 'line', 'ticket', 'config']

export interface FeedReaderOptions {
  readonly parts: ReadonlySet<FeedPart>
  /** Only tickets that pass. */
  readonly query: TicketQuery
  /** Whether any filter is asked for. */
  readonly isFiltered: boolean
  readonly store: Pick<TicketStore, 'listRows'> | undefined
  /** Resolves when more can be taken; false: it has gone. */
  write(frame: string): boolean | Promise<boolean>
  readonly nameOf: (place: number) => string
}

/** Tickets that a reader is shown in one tick of 250 ms: 20 a second. */
const SHOWN = 5
/** Changes that are held against the filters in one tick. */
const LOOKED_AT = 200

/** One who reads the feed. What a slow one cannot take is dropped, and it is told so. */
export function createFeedReader(options: FeedReaderOptions) {
  const { parts, isFiltered, nameOf } = options
  let pending: Change[] = []
  /** Its connection is full: nothing more is sent before it has read. */
  let isFull = false
  let hasMissed = false
  let isReading = false

  function send<Name extends keyof FeedEvents>(name: Name, data: FeedEvents[Name], place: number): void {
    if (isFull) {
      hasMissed = true
      return
    }
    const taken = options.write(frameOf(nameOf(place), name, data))
    if (taken === true || taken === false) return
    isFull = true
    void taken.then(() => {
      isFull = false
    })
  }

  return {
    wants: (part: FeedPart): boolean => parts.has(part),
    send,
    /** Tickets have changed. */
    changed(changes: readonly Change[]): void {
      if (parts.has('ticket')) pending.push(...changes)
    },
    /** Shows what has changed since the last tick. True: it missed something before, and has been told. */
    async tick(place: number): Promise<boolean> {
      if (isFull || isReading) return false
      const isTold = hasMissed
      if (isTold) {
        hasMissed = false
        pending = []
        send('gap', {}, place)
      }
      const changes = pending
      pending = []
      const looked = changes.slice(-(isFiltered ? LOOKED_AT : SHOWN))
      isReading = true
      try {
        const passed = await rowsOf(options, looked)
        for (const [change, row] of passed.slice(-SHOWN)) send('ticket', ticketRowBody(row), change.place)
        const count = changes.length - looked.length + Math.max(0, passed.length - SHOWN)
        if (count > 0) send('more', { count }, place)
      } catch {
        // The store is away: what changed is read again when it is back.
        hasMissed = changes.length > 0
      } finally {
        isReading = false
      }
      return isTold
    },
  }
}

/** The rows of these changes that pass, the oldest change first. */
async function rowsOf(
  { store, query }: FeedReaderOptions,
  changes: readonly Change[],
): Promise<readonly (readonly [Change, TicketRow])[]> {
  if (store === undefined || changes.length === 0) return []
  const ids = changes.map(({ id }) => id)
  const { rows } = await store.listRows({ ...query, ids, limit: LOOKED_AT })
  const byId = new Map(rows.map((row) => [row.id, row] as const))
  return changes.flatMap((change) => {
    const row = byId.get(change.id)
    return row === undefined ? [] : [[change, row] as const]
  })
}

export type FeedReader = ReturnType<typeof createFeedReader>

const frameOf = (id: string, event: string, data: unknown): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
