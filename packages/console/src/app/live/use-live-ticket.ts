import { useEffect, useState } from 'preact/hooks'
import { getTicket, type TicketBody } from '../api/tickets.ts'
import { useResource } from '../parts/use-resource.ts'
import type { TicketNews } from './follow-ticket.ts'

/** A ticket, and what is heard of it while it runs. */
export function useLiveTicket(id: string) {
  const ticket = useResource(`ticket ${id}`, (signal) => getTicket(id, signal))
  const [text, setText] = useState('')
  const [lost, setLost] = useState<string>()
  const { value, reload } = ticket
  const runs = value !== undefined && !isOver(value)
  useEffect(() => {
    setText('')
    setLost(undefined)
    if (!runs) return
    const leaving = new AbortController()
    const hear = (news: TicketNews) => {
      setLost(news.kind === 'lost' ? news.problem.details : undefined)
      if (news.kind === 'delta') setText((before) => before + news.text)
      // A new run writes from its start, and has calls that this page does not know.
      if (news.kind === 'status') setText('')
      if (news.kind === 'status' || news.kind === 'end') reload()
    }
    const { signal } = leaving
    // Most tickets that somebody looks at have ended.
    import('./follow-ticket.ts').then(
      async ({ followTicket }) => {
        if (!signal.aborted) await followTicket(id, { signal, hear })
      },
      () => setLost('what follows it could not be loaded; reload the page.'),
    )
    return () => leaving.abort()
  }, [id, runs, reload])
  return { ticket, text, lost }
}

export const isOver = ({ status }: Pick<TicketBody, 'status'>): boolean =>
  status !== 'queued' && status !== 'in_progress'
