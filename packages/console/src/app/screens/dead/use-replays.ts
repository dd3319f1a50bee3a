import { useEffect, useRef, useState } from 'preact/hooks'
import { replayTicket, type TicketRow } from '../../api/tickets.ts'
import { plural } from '../../parts/format.ts'
import { say } from '../../parts/notice.tsx'

/** How far a replay of many is. */
export interface Progress {
  readonly name: string
  readonly done: number
  readonly refused: number
  readonly of: number
}

/** Behind whatever comes by itself: what failed yesterday must not keep the callers of today waiting. */
const PRIORITY = -10

/** Sends tickets again, one after the other, until all are sent or somebody stops it. */
export function useReplays(ended: () => void) {
  const [progress, setProgress] = useState<Progress>()
  const stopped = useRef(false)
  useEffect(
    () => () => {
      stopped.current = true
    },
    [],
  )
  const start = async (name: string, rows: readonly TicketRow[]) => {
    stopped.current = false
    let [done, refused] = [0, 0]
    for (const { id } of rows) {
      if (stopped.current) break
      setProgress({ name, done, refused, of: rows.length })
      const answer = await replayTicket(id, { priority: PRIORITY })
      if (answer.ok) done += 1
      else refused += 1
    }
    setProgress(undefined)
    const rest = rows.length - done - refused
    const words = [refused > 0 && `${refused} refused`, rest > 0 && `${rest} not sent`].filter(Boolean)
    say(
      `${plural(done, 'ticket')} sent again${words.length > 0 ? `, ${words.join(', ')}` : ''}.`,
      refused > 0,
    )
    ended()
  }
  const stop = () => {
    stopped.current = true
  }
  return { progress, start, stop }
}
