import {
  AttemptSchema,
  FailureCodeSchema,
  FailureOutcomeSchema,
  StreamFailureSchema,
  SuccessOutcomeSchema,
} from '@ai-ticket/server/openapi'
import * as v from 'valibot'
import { TICKET_STATUSES } from '../ticket/ticket.ts'
import { CallbackSummarySchema } from './callback-schemas.ts'

// The types are in ../http/ticket-body.ts; `openapi.test.ts` holds the two together.

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const timestamp = v.pipe(v.string(), v.isoTimestamp())
const maybe = v.exactOptional(timestamp)

export const TicketStatusSchema = v.picklist(TICKET_STATUSES)

export const TicketSchema = v.object({
  id: v.pipe(v.string(), v.startsWith('tkt_')),
  object: v.literal('ticket'),
  event_id: v.string(),
  status: TicketStatusSchema,
  kind: v.pipe(
    v.picklist(['ticket', 'event']),
    v.description('`event`: it was answered at once, and is only recorded.'),
  ),
  created_at: timestamp,
  started_at: v.nullable(timestamp),
  finished_at: v.nullable(timestamp),
  not_before: v.exactOptional(
    v.pipe(timestamp, v.description('When the next run begins at the earliest, of a ticket that waits.')),
  ),
  expires_at: maybe,
  priority: v.pipe(v.number(), v.integer()),
  caller: v.exactOptional(v.pipe(v.string(), v.description('The name of the API key.'))),
  replay_of: v.exactOptional(v.string()),
  callback: v.exactOptional(CallbackSummarySchema),
  runs: v.pipe(count, v.description('How often it was given to a worker.')),
  call: v.exactOptional(v.object({ backend: v.string(), endpoint: v.string() })),
  cancel_requested_at: maybe,
  attempts: v.array(AttemptSchema),
  last_failure: v.exactOptional(v.object({ error: FailureCodeSchema, details: v.string() })),
  partial: v.exactOptional(v.pipe(v.string(), v.description('Text so far, or of the run that broke off.'))),
  outcome: v.exactOptional(v.union([SuccessOutcomeSchema, FailureOutcomeSchema])),
  event: v.exactOptional(
    v.pipe(
      v.nullable(v.record(v.string(), v.unknown())),
      v.description('Null where the history keeps no content.'),
    ),
  ),
  links: v.object({ self: v.string(), cancel: v.string(), replay: v.string() }),
})

export const TicketListSchema = v.object({
  object: v.literal('list'),
  data: v.array(TicketSchema),
  next_cursor: v.exactOptional(v.pipe(v.string(), v.description('Absent: this is the last page.'))),
})

export const TicketStatsSchema = v.object({
  object: v.literal('ticket_stats'),
  queued: count,
  in_progress: count,
  completed: count,
  failed: count,
  cancelled: count,
  running_here: v.pipe(count, v.description('Tickets that run in this process.')),
  oldest_queued_seconds: v.exactOptional(count),
})

export const PruneResultSchema = v.object({
  object: v.literal('prune'),
  removed: count,
  dry_run: v.boolean(),
})

/** The events of a stream that shows one ticket. Each has a sequence number as its id. */
export const TICKET_STREAM = {
  status: v.object({
    status: TicketStatusSchema,
    run: v.pipe(count, v.description('A new run begins its text anew.')),
  }),
  delta: v.object({ text: v.string() }),
  done: SuccessOutcomeSchema,
  error: StreamFailureSchema,
}

export const TICKET_SCHEMAS = {
  Ticket: TicketSchema,
  TicketStatus: TicketStatusSchema,
  TicketList: TicketListSchema,
  TicketStats: TicketStatsSchema,
}
