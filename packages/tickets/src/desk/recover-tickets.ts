import type { FailureOutcome } from '@ai-ticket/core'
import { keepTrying } from '../ticket/store-unavailable.ts'
import type { Ticket } from '../ticket/ticket.ts'
import type { ResolvedDeskOptions } from './desk-options.ts'

/** Twice as long as stopping a generation may take. */
const LEASE_MS = 40_000

/**
 * Takes over the tickets of dead processes: stops each generation on its server, because the GPU may still be working
 * on it, and then gives the ticket back to the queue. Resolves when all are back. `held`: tickets that this process holds,
 * which are not dead even if the store refused for so long that their leases are over.
 */
export async function recoverTickets(
  options: ResolvedDeskOptions,
  { signal, held }: { readonly signal: AbortSignal; readonly held: () => readonly string[] },
): Promise<number> {
  const { store, owner, leaseMs } = options
  let recovered = 0
  for (;;) {
    const lease = { owner, leaseMs: Math.max(leaseMs, LEASE_MS) }
    const orphans = await store.adopt({ ...lease, limit: 100, held: held() })
    if (orphans.length === 0) return recovered
    recovered += orphans.length
    await Promise.all(orphans.map((ticket) => recover(ticket, options, signal)))
  }
}

async function recover(ticket: Ticket, options: ResolvedDeskOptions, signal: AbortSignal): Promise<void> {
  const { store, owner, logger, clock, maxCrashes } = options
  const { state } = ticket
  // The answer to a claim was lost, so this process has the ticket and never ran it: nobody died.
  const isOurs = state.status === 'in_progress' && state.formerOwner?.session === owner.session
  logger.warn(
    isOurs
      ? 'ticket found that this process did not know it had'
      : 'ticket taken over from a process that died',
    { ticket_id: ticket.id, event_id: ticket.eventId },
  )
  await abandonCall(ticket, options, signal)
  const fence = { id: ticket.id, token: ticket.token }
  const isPoison = !isOurs && ticket.crashes + 1 >= maxCrashes
  const reason = isOurs ? 'interrupted' : 'crashed'
  const write = () => (isPoison ? store.settle(fence, givenUp(ticket)) : store.release(fence, { reason }))
  await keepTrying(write, { clock, logger, signal })
}

async function abandonCall({ id, state }: Ticket, options: ResolvedDeskOptions, signal: AbortSignal) {
  const call = state.status === 'in_progress' ? state.call : undefined
  if (call === undefined) return
  try {
    await options.dispatcher.abandon(call, signal)
  } catch (error) {
    options.logger.warn('generation not known to have stopped', {
      ticket_id: id,
      backend: call.backend,
      error,
    })
  }
}

const givenUp = (ticket: Ticket): FailureOutcome => ({
  error: 'internal_error',
  details: `The server died ${ticket.crashes + 1} times while this ticket ran; it may be the reason. Replay it to try again.`,
  id: ticket.eventId,
  duration_ms: 0,
  attempts: [],
  ...(ticket.partial === undefined ? {} : { partial: ticket.partial }),
})
