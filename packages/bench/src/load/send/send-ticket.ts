import { setTimeout as sleep } from 'node:timers/promises'
import { eventBody } from '../plan/event-body.ts'
import type { PlannedRequest } from '../plan/plan-load.ts'
import { ask, codeOf, type Line } from './ask.ts'
import type { Ending } from './ending.ts'

/** Of the tickets: sent twice with one key; cancelled; asked for again and again instead of waited for. */
const TWICE = 0.3
const CANCELLED = 0.1
const POLLED = 0.5
const POLL_MS = 100

/** Sends an event to be answered later, and follows its ticket to the end. */
export async function sendTicket(line: Line, planned: PlannedRequest, signal: AbortSignal): Promise<Ending> {
  const { number, variant } = planned
  const isTwice = variant < TWICE
  const key = { 'idempotency-key': `load-${line.run}-${number}` }
  const headers = { prefer: 'respond-async', ...(isTwice && key) }
  const accept = () => ask(line, { path: '/event', headers, body: eventBody(planned), signal })
  const accepted = await accept()
  if (accepted.status !== 202) return { as: 'answered', status: accepted.status, code: codeOf(accepted) }
  const id = String(accepted.body.id)
  if (isTwice) {
    const again = await accept()
    if (again.body.id !== id) return lost(id, 'has a second ticket for the same key')
  }
  if (variant > 1 - CANCELLED) await ask(line, { method: 'DELETE', path: `/tickets/${id}`, signal })
  return follow(line, id, variant * 10 - Math.floor(variant * 10) < POLLED, signal)
}

const lost = (id: string, why: string): Ending => ({ as: 'lost', why: `${id} ${why}` })

async function follow(line: Line, id: string, isPolled: boolean, signal: AbortSignal): Promise<Ending> {
  const look = () =>
    ask(line, { method: 'GET', path: `/tickets/${id}${isPolled ? '' : '?wait=10s'}`, signal })
  for (;;) {
    const { status, body } = await look()
    if (status !== 200) return lost(id, `was accepted and is answered with ${status}`)
    if (body.finished_at !== undefined && body.finished_at !== null) {
      const { body: later } = await look()
      if (JSON.stringify(later) !== JSON.stringify(body)) return lost(id, 'changed after its end')
      if (body.outcome === undefined) return lost(id, 'ended without an outcome')
      const code = codeOf({ status: 200, body: body.outcome as Record<string, unknown> })
      return { as: 'answered', status: 202, code: `ticket ${code}`, ticketId: id }
    }
    if (isPolled) await sleep(POLL_MS, undefined, { signal })
  }
}
