import * as v from 'valibot'
import { DELIVERY_ERRORS } from '../ticket/delivery.ts'

// The types are in ../http/callback-body.ts; `ticket-schemas.test.ts` holds the two together.

const timestamp = v.pipe(v.string(), v.isoTimestamp())
const whole = v.pipe(v.number(), v.integer(), v.minValue(0))
const error = v.picklist(DELIVERY_ERRORS)

const state = {
  url: v.pipe(v.string(), v.description('Without its query, which may hold secrets.')),
  status: v.exactOptional(
    v.pipe(
      v.picklist(['pending', 'delivered', 'dead', 'waiting']),
      v.description('`waiting`: the ticket has not ended. `dead`: given up. Absent: ask the ticket.'),
    ),
  ),
  next_attempt_at: v.exactOptional(timestamp),
}

/** In a ticket. */
export const CallbackSummarySchema = v.object({
  ...state,
  attempts: whole,
  last_error: v.exactOptional(v.object({ error, details: v.string() })),
})

export const CallbackSchema = v.object({
  object: v.literal('callback'),
  ticket_id: v.string(),
  webhook_id: v.pipe(v.string(), v.description('The `webhook-id` of every attempt.')),
  ...state,
  attempts: v.array(
    v.object({
      at: timestamp,
      duration_ms: whole,
      status: v.pipe(v.nullable(whole), v.description('Of the reply; null: there was none.')),
      error: v.exactOptional(error),
      details: v.exactOptional(v.string()),
    }),
  ),
})

export const CallbackListSchema = v.object({ object: v.literal('list'), data: v.array(CallbackSchema) })
