import type { CallbackStore } from '../ticket/callback-store.ts'
import { type Delivery, isHeldDelivery, recordAttempt, resendDelivery } from '../ticket/delivery.ts'
import type { Hub } from '../ticket/ticket-store.ts'

/** Changes a delivery in one transaction; resolves with it as it is then, undefined where there is none. */
export type ChangeDelivery = (
  ticketId: string,
  transition: (delivery: Delivery) => Delivery,
) => Promise<Delivery | undefined>

/** The methods of both stores that change one delivery. `due` hears of one that has become due. */
export function createDeliveryChanges(
  change: ChangeDelivery,
  { due, now }: { readonly due: Hub; readonly now: () => number },
): Pick<CallbackStore, 'record' | 'resend'> {
  return {
    async record({ ticketId, token }, attempt, verdict) {
      let isHeld = false
      await change(ticketId, (delivery) => {
        isHeld = isHeldDelivery(delivery, token)
        return recordAttempt(delivery, { token, attempt, verdict, now: now() })
      })
      return isHeld
    },
    async resend(ticketId) {
      const after = await change(ticketId, (delivery) => resendDelivery(delivery, now()))
      if (after) due.tell([ticketId])
      return after
    },
  }
}

/** By the first pending delivery and the last one whose wait began: in the future, the clock was set back, and it is due. */
export function nextDueInMs(
  next: Readonly<Record<string, unknown>> | undefined,
  now: number,
): number | undefined {
  if (next?.due == null) return undefined
  return Number(next.paused ?? 0) > now ? 0 : Number(next.due) - now
}
