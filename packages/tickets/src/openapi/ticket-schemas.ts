import { EventSchema } from '@ai-ticket/core/schemas'
import { MAX_BATCH_EVENTS } from '@ai-ticket/http-server/cloudevents'
import {
  AttemptSchema,
  CLOUD_EVENT_CONTENT,
  CloudEventSchema,
  type Content,
  described,
  EVENT_WORDS,
  FailureCodeSchema,
  FailureOutcomeSchema,
  StreamFailureSchema,
  SuccessOutcomeSchema,
} from '@ai-ticket/http-server/openapi'
import * as v from 'valibot'
import { CALLBACK_STATES, DELIVERY_ERRORS } from '../ticket/delivery.ts'
import { TICKET_STATUSES } from '../ticket/ticket.ts'

// The types are in ../http/ticket-body.ts; `openapi.test.ts` holds the two together.

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const timestamp = v.pipe(v.string(), v.isoTimestamp())
const maybe = v.exactOptional(timestamp)

const TicketStatusSchema = v.picklist(TICKET_STATUSES)

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

const whole = v.pipe(v.number(), v.integer(), v.minValue(0))

const error = v.picklist(DELIVERY_ERRORS)

/** In a ticket. */
const CallbackSummarySchema = v.object({
  ...state,
  attempts: whole,
  last_error: v.exactOptional(v.object({ error, details: v.string() })),
})

const RunSchema = v.object({
  run: v.pipe(count, v.description('From 1; `run` of an attempt names it.')),
  worker: v.pipe(v.string(), v.description('The server that took it.')),
  claimed_at: timestamp,
  ended_at: maybe,
  ended: v.exactOptional(
    v.pipe(
      v.picklist(['completed', 'failed', 'cancelled', 'retry', 'interrupted', 'crashed']),
      v.description('Absent: it runs. The last three: the ticket had to wait again.'),
    ),
  ),
})

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
  door: v.exactOptional(v.pipe(v.string(), v.description('The API through which it arrived.'))),
  replay_of: v.exactOptional(v.string()),
  callback: v.exactOptional(CallbackSummarySchema),
  runs: v.pipe(count, v.description('How often it was given to a worker.')),
  run_log: v.exactOptional(
    v.pipe(v.array(RunSchema), v.description('Each of those times, the newest last; the last 100.')),
  ),
  call: v.exactOptional(v.object({ backend: v.string(), endpoint: v.string(), started_at: timestamp })),
  cancel_requested_at: maybe,
  attempts: v.array(AttemptSchema),
  last_failure: v.exactOptional(v.object({ error: FailureCodeSchema, details: v.string() })),
  partial: v.exactOptional(
    v.pipe(v.string(), v.description('Text so far of a run that is streamed, or of the one that broke off.')),
  ),
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

const said = (description: string) => v.exactOptional(v.pipe(count, v.description(description)))

/** A `TicketRowBody`, as JSON. */
export const TicketRowSchema = v.object({
  id: v.pipe(v.string(), v.startsWith('tkt_')),
  event_id: v.string(),
  kind: v.picklist(['ticket', 'event']),
  status: TicketStatusSchema,
  created_at: timestamp,
  seq: v.pipe(
    v.number(),
    v.integer(),
    v.description('Of two with the same `created_at`, the greater one is first in a list.'),
  ),
  started_at: v.nullable(timestamp),
  finished_at: v.nullable(timestamp),
  priority: v.pipe(v.number(), v.integer()),
  caller: v.exactOptional(v.pipe(v.string(), v.description('The name of the API key.'))),
  door: v.exactOptional(v.pipe(v.string(), v.description('The API through which it arrived.'))),
  replay_of: v.exactOptional(v.string()),
  runs: v.pipe(count, v.description('How often it was given to a worker.')),
  attempts: v.pipe(count, v.description('Calls of all runs that have ended.')),
  backend: v.exactOptional(
    v.pipe(
      v.string(),
      v.description('That of the call that runs, else of the answer, else the one that the event asks for.'),
    ),
  ),
  model: v.exactOptional(v.string()),
  error: v.exactOptional(FailureCodeSchema),
  waited_ms: said('From its acceptance to the start of its first run, and what the last run stood in line.'),
  first_token_ms: said('Of the last call that was streamed.'),
  duration_ms: said('Of the run that ended it, waiting in line included.'),
  usage: v.nullable(v.object({ prompt_tokens: count, completion_tokens: count })),
  wasted_ms: v.pipe(count, v.description('How long backends worked for nothing.')),
  callback: v.exactOptional(v.picklist(CALLBACK_STATES)),
  prompt: v.pipe(
    v.nullable(v.string()),
    v.description(
      'The first 160 characters of what was asked; of a conversation, of the last turn of its user. Null: not kept.',
    ),
  ),
  answer: v.pipe(
    v.nullable(v.string()),
    v.description('The first 160 characters of the answer. Null: there is none, or it is not kept.'),
  ),
  kept: v.pipe(v.boolean(), v.description('Whether its content is kept; only then can it be replayed.')),
})

/** With `view=row`. */
export const TicketRowListSchema = v.object({
  object: v.literal('list'),
  data: v.array(TicketRowSchema),
  next_cursor: v.exactOptional(v.string()),
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

export const BulkRequestSchema = v.strictObject({
  action: v.picklist(['replay', 'cancel', 'resend']),
  ids: v.exactOptional(v.pipe(v.array(v.string()), v.maxLength(500))),
  filter: v.exactOptional(
    v.pipe(
      v.record(v.string(), v.string()),
      v.description('Filters of `GET /tickets`, and `cursor` to go on. An empty one is all tickets.'),
    ),
  ),
  dry_run: v.exactOptional(v.pipe(v.boolean(), v.description('Only says how many there are.'))),
  priority: v.exactOptional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(-100),
      v.maxValue(100),
      v.description('Of replays. Default -10: they stand behind what is new.'),
    ),
  ),
})

export const BulkSchema = v.object({
  object: v.literal('bulk'),
  matched: v.pipe(count, v.description('How many tickets this call was about; at most 500.')),
  done: v.pipe(count, v.description('For how many of them it was done; 0 of a dry run.')),
  refused: v.array(v.object({ id: v.string(), error: v.string() })),
  next_cursor: v.exactOptional(
    v.pipe(
      v.string(),
      v.description('Go on with it, as the `cursor` of the filter. Absent: these were all.'),
    ),
  ),
})

/** The events of a stream that shows one ticket. Each has a sequence number as its id. */
export const TICKET_STREAM = {
  status: v.object({
    status: TicketStatusSchema,
    run: v.pipe(count, v.description('A new run starts its text over.')),
  }),
  delta: v.object({ text: v.string() }),
  done: SuccessOutcomeSchema,
  error: StreamFailureSchema,
}

export const TICKET_SCHEMAS = {
  Ticket: TicketSchema,
  TicketStatus: TicketStatusSchema,
  TicketList: TicketListSchema,
  TicketRow: TicketRowSchema,
  TicketRowList: TicketRowListSchema,
  TicketStats: TicketStatsSchema,
}

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

export const CallbackPageSchema = v.object({
  object: v.literal('list'),
  data: v.array(CallbackSchema),
  next_cursor: v.exactOptional(v.string()),
})

const named = {
  source: v.nullable(v.string()),
  id: v.nullable(v.string()),
  status: v.pipe(
    v.number(),
    v.integer(),
    v.description('What the event alone would have been answered with.'),
  ),
}

/** The result for each event of a batch, in their order; the type is in ../http/divert-event.ts. */
export const BatchSchema = v.object({
  object: v.literal('list'),
  data: v.array(
    v.union([
      v.object({ ...named, ticket: TicketSchema }),
      v.object({ ...named, error: FailureCodeSchema, details: v.string() }),
    ]),
  ),
})

/** Bodies beside JSON, where there are tickets. */
export const CLOUD_EVENTS_CONTENT: Readonly<Record<string, Content>> = {
  ...CLOUD_EVENT_CONTENT,
  'application/cloudevents-batch+json': {
    schema: v.pipe(v.array(CloudEventSchema), v.maxLength(MAX_BATCH_EVENTS)),
  },
}

const time = v.nullish(v.pipe(v.string(), v.isoTimestamp()))
const callback_url = v.nullish(v.pipe(v.string(), v.url(), v.maxLength(2_048)))
const further = { not_before: time, expires_at: time, callback_url }

const WORDS = {
  ...EVENT_WORDS,
  not_before: 'ISO 8601, with its zone: not to be run earlier.',
  expires_at: 'ISO 8601, with its zone: what has not begun to run by then, fails.',
  callback_url: 'Told when the ticket has ended, where the operator allows the address.',
}

/** An event that becomes a ticket; `read-event.ts` reads it. */
export const TicketRequestSchema = v.pipe(
  described(v.object({ ...EventSchema.entries, ...further }), WORDS),
  v.description('An event, when it may run, and where its end is announced.'),
)

/** The body of a replay: what is named takes the place of what the event had. */
export const ReplayRequestSchema = v.pipe(
  described(v.object({ ...v.partial(EventSchema).entries, ...further }), WORDS),
  v.description('Fields to change. The replay is a new event with its own id.'),
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
    keep: 'How many finished tickets stay, the newest.',
    failed: 'Failed tickets from before `finished_before` go, too.',
    dry_run: 'Only counts.',
  },
)
