import { EventSchema } from '@ai-ticket/core/schemas'
import { described, EVENT_WORDS } from '@ai-ticket/server/openapi'
import * as v from 'valibot'

const time = v.nullish(v.pipe(v.string(), v.isoTimestamp()))
const callback_url = v.nullish(v.pipe(v.string(), v.url(), v.maxLength(2_048)))
const further = { not_before: time, expires_at: time, callback_url }

const WORDS = {
  ...EVENT_WORDS,
  not_before: 'ISO 8601, with its zone: not to be run earlier.',
  expires_at: 'ISO 8601, with its zone: what has not begun to run by then, fails.',
  callback_url: 'Told when the ticket has ended, where the operator allows the address.',
}

/** What becomes a ticket; `read-event.ts` reads it. */
export const TicketRequestSchema = v.pipe(
  described(v.object({ ...EventSchema.entries, ...further }), WORDS),
  v.description('An event, when it may run, and who is told of its end.'),
)

/** The body of a replay: what is named takes the place of what the event had. */
export const ReplayRequestSchema = v.pipe(
  described(v.object({ ...v.partial(EventSchema).entries, ...further }), WORDS),
  v.description('Fields to change. The replay is a new event with an id of its own.'),
)

/** The body of a removal; `read-prune.ts` reads it. */
export const PruneRequestSchema = described(
  v.strictObject({
    finished_before: time,
    keep: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0))),
    failed: v.nullish(v.boolean()),
    dry_run: v.nullish(v.boolean()),
  }),
  {
    finished_before: 'ISO 8601, with its zone: what finished before goes. One of this and `keep` is needed.',
    keep: 'So many finished tickets stay, the newest.',
    failed: 'Failed tickets from before `finished_before` go, too.',
    dry_run: 'Only counts.',
  },
)
