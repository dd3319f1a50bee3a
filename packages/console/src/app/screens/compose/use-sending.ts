import type { Outcome } from '@ai-ticket/core'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Problem } from '../../api/client.ts'
import { cancelTicket } from '../../api/tickets.ts'
import { type SendingNews, sendAndFollow } from '../../live/follow-ticket.ts'
import { say } from '../../parts/notice.tsx'

/** Where a sent event stands. */
export interface Sending {
  readonly isOn: boolean
  /** Of its ticket, as soon as it is known. */
  readonly id?: string
  readonly status?: string
  readonly text: string
  readonly outcome?: Outcome
  readonly problem?: Problem
}

/** Sends one event at a time, and hears how it goes. Leaving the screen leaves the ticket to run. */
export function useSending() {
  const [sending, setSending] = useState<Sending>()
  const leaving = useRef<AbortController>(undefined)
  useEffect(() => () => leaving.current?.abort(), [])
  const send = async (event: object) => {
    leaving.current?.abort()
    const own = new AbortController()
    leaving.current = own
    setSending({ isOn: true, text: '' })
    const hear = (news: SendingNews) => setSending((before) => before && after(before, news))
    await sendAndFollow(event, { signal: own.signal, hear }).catch((error: unknown) => {
      if (!own.signal.aborted) throw error
    })
  }
  const stop = async () => {
    if (sending?.id === undefined) return
    const answer = await cancelTicket(sending.id)
    if (!answer.ok) return say(answer.problem.details, true)
    say(answer.status === 200 ? 'Cancelled.' : 'It has not stopped yet. The server goes on stopping it.')
  }
  return { sending, send, stop }
}

function after(before: Sending, news: SendingNews): Sending {
  switch (news.kind) {
    case 'ticket':
      return { ...before, id: news.id }
    case 'status':
      return { ...before, status: news.status, text: '' }
    case 'delta':
      return { ...before, text: before.text + news.text }
    case 'end':
      return { ...before, isOn: false, outcome: news.outcome }
    case 'refused':
    case 'lost':
      return { ...before, isOn: news.kind === 'lost', problem: news.problem }
  }
}
