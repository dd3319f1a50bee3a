import { problem } from './problems.ts'
import type { TicketContext } from './ticket-context.ts'

/** Throws a `RequestProblem` where the operator does not want callbacks, or none to this address. */
export function checkCallback({ callbacks }: Pick<TicketContext, 'callbacks'>, url: string): void {
  if (callbacks === undefined) {
    throw problem(
      'callback_not_allowed',
      'This server sends no callbacks; its operator allows addresses with AI_TICKET_CALLBACK_ALLOW. Leave `callback_url` out and ask GET /tickets/:id, with ?wait=30s.',
    )
  }
  const checked = callbacks.check(url)
  if (!checked.ok) throw problem('callback_not_allowed', checked.details)
}

/** A `POST /event` with one becomes a ticket, so that there is an end to tell of even when the caller has hung up. */
export const hasCallback = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && 'callback_url' in event && event.callback_url != null
