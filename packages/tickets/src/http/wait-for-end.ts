import { isFinished, type Ticket } from '../ticket/ticket.ts'
import { type TicketContext, watchTicket } from './ticket-context.ts'

/** The ticket as soon as it is finished; as it is then when the time is up or nobody waits any more. */
export async function waitForEnd(
  context: TicketContext,
  ticket: Ticket,
  { waitMs, signal }: { readonly waitMs: number | undefined; readonly signal: AbortSignal },
): Promise<Ticket> {
  if (isFinished(ticket)) return ticket
  const ended = Promise.withResolvers<void>()
  const look = async () => {
    const now = await context.store.get(ticket.id).catch(() => undefined)
    if (now === undefined || isFinished(now)) ended.resolve()
  }
  const stop = watchTicket(context, ticket.id, () => void look())
  const onAbort = () => ended.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = waitMs === undefined ? undefined : context.clock.setTimer(ended.resolve, waitMs)
  if (signal.aborted) ended.resolve()
  // It may have ended before anybody watched.
  void look()
  await ended.promise
  stop()
  timer?.cancel()
  signal.removeEventListener('abort', onAbort)
  return (await context.store.get(ticket.id)) ?? ticket
}
