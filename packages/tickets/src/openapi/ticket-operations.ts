import {
  type Answer,
  CLOUD_EVENT_HEADERS,
  CloudEventSchema,
  EVENT_STREAM,
  type Operation,
  OUTCOME_SCHEMAS,
} from '@ai-ticket/http-server/openapi'
import * as v from 'valibot'
import {
  ACCEPT_FAILURES,
  acceptedTicket,
  acceptedTickets,
  callbackStatus,
  idempotencyKey,
  lastEventId,
  metadataFilter,
  prefer,
  startingAfter,
  TICKET_FILTERS,
  ticketId,
  view,
  wait,
} from './ticket-parameters.ts'
import {
  BatchSchema,
  BulkRequestSchema,
  BulkSchema,
  CallbackListSchema,
  CallbackPageSchema,
  CallbackSchema,
  CLOUD_EVENTS_CONTENT,
  PruneRequestSchema,
  PruneResultSchema,
  ReplayRequestSchema,
  TICKET_SCHEMAS,
  TICKET_STREAM,
  TicketListSchema,
  TicketRequestSchema,
  TicketRowListSchema,
  TicketSchema,
  TicketStatsSchema,
} from './ticket-schemas.ts'

const tag = 'Tickets'
const schemas = {
  ...OUTCOME_SCHEMAS,
  ...TICKET_SCHEMAS,
  TicketRequest: TicketRequestSchema,
  ReplayRequest: ReplayRequestSchema,
  PruneRequest: PruneRequestSchema,
  BulkRequest: BulkRequestSchema,
  Bulk: BulkSchema,
  Batch: BatchSchema,
  Callback: CallbackSchema,
  CloudEvent: CloudEventSchema,
}
const fresh = { 'cache-control': { description: '`no-store`.', required: true } }
const json = (description: string, schema: v.GenericSchema): Answer => ({
  description,
  headers: fresh,
  content: { 'application/json': { schema } },
})

export const postTicket: Operation = {
  operationId: 'createTicket',
  summary: 'Take an event in and answer it later',
  tag,
  parameters: [idempotencyKey, ...CLOUD_EVENT_HEADERS],
  body: {
    content: {
      'application/json': {
        schema: TicketRequestSchema,
        examples: { text: { content: 'Why is the sky blue?' } },
      },
      ...CLOUD_EVENTS_CONTENT,
    },
  },
  answers: { 202: acceptedTickets },
  failures: ACCEPT_FAILURES,
  schemas,
}

export const getTickets: Operation = {
  operationId: 'listTickets',
  summary: 'List tickets, newest first',
  tag,
  parameters: [view, ...TICKET_FILTERS, metadataFilter],
  answers: { 200: json('A page.', v.union([TicketListSchema, TicketRowListSchema])) },
  failures: ['invalid_input_format', 'store_unavailable'],
  schemas,
}

export const postPrune: Operation = {
  operationId: 'pruneTickets',
  summary: 'Remove finished tickets',
  tag,
  body: {
    content: {
      'application/json': {
        schema: PruneRequestSchema,
        examples: { month: { finished_before: '2027-01-31T08:00:00Z', dry_run: true } },
      },
    },
  },
  answers: {
    200: {
      description: 'How many there were.',
      content: { 'application/json': { schema: PruneResultSchema } },
    },
  },
  failures: ['store_unavailable'],
  schemas,
}

export const postBulk: Operation = {
  operationId: 'actOnTickets',
  summary: 'Replay, cancel or resend many tickets',
  description:
    'Of up to 500 tickets a call, by `ids` or by the filters of a list. One that refuses keeps no other from its turn.',
  tag,
  body: {
    content: {
      'application/json': {
        schema: BulkRequestSchema,
        examples: {
          deadLetters: { action: 'replay', filter: { status: 'failed', kind: 'ticket' }, dry_run: true },
        },
      },
    },
  },
  answers: {
    200: {
      description: 'The result for the tickets.',
      content: { 'application/json': { schema: BulkSchema } },
    },
  },
  failures: ['invalid_request', 'invalid_input_format', 'store_unavailable'],
  schemas,
}

export const getTicketStats: Operation = {
  operationId: 'getTicketStats',
  summary: 'Count tickets by status',
  tag,
  answers: { 200: json('The counts.', TicketStatsSchema) },
  failures: ['store_unavailable'],
  schemas,
}

export const getTicket: Operation = {
  operationId: 'getTicket',
  summary: 'Look at a ticket, wait for it, or watch it',
  description:
    'Always 200 for a ticket that is there, a failed one included. With `Accept: text/event-stream` it is shown as it ' +
    'goes on; a reader who comes back with `Last-Event-ID` goes on where it was.',
  tag,
  parameters: [ticketId, wait, startingAfter, lastEventId],
  answers: {
    200: {
      description: 'The ticket.',
      headers: {
        'cache-control': { description: '`no-store`, or `no-cache` for a stream.', required: true },
        'retry-after': { description: 'Seconds until you should ask again; only for an unfinished ticket.' },
      },
      content: {
        'application/json': { schema: TicketSchema },
        'text/event-stream': { schema: v.string(), events: TICKET_STREAM },
      },
    },
    204: { description: 'You have already read this stream to its end.' },
  },
  failures: ['invalid_input_format', 'not_found', 'store_unavailable'],
  schemas,
}

export const deleteTicket: Operation = {
  operationId: 'cancelTicket',
  summary: 'Cancel a ticket, down to the GPU',
  tag,
  parameters: [ticketId],
  answers: {
    200: json('It is cancelled.', TicketSchema),
    202: json('It is being cancelled: the backend has not stopped yet.', TicketSchema),
  },
  failures: ['not_found', 'conflict', 'store_unavailable'],
  schemas,
}

export const postReplay: Operation = {
  operationId: 'replayTicket',
  summary: 'Run the event of a ticket again, as a new ticket',
  tag,
  parameters: [ticketId, idempotencyKey],
  body: { required: false, content: { 'application/json': { schema: ReplayRequestSchema } } },
  answers: { 202: acceptedTicket },
  failures: [...ACCEPT_FAILURES, 'not_found', 'gone'],
  schemas,
}

export const getCallbacks: Operation = {
  operationId: 'listCallbacks',
  summary: 'Look at what was sent of the end of a ticket',
  description: 'A ticket with a `callback_url` has one callback; any other has none.',
  tag,
  parameters: [ticketId],
  answers: { 200: json('Each callback with its attempts.', CallbackListSchema) },
  failures: ['not_found', 'store_unavailable'],
  schemas,
}

export const getAllCallbacks: Operation = {
  operationId: 'listAllCallbacks',
  summary: 'List the callbacks of all tickets that have ended, newest tickets first',
  tag,
  parameters: [callbackStatus, ...TICKET_FILTERS.filter(({ name }) => name === 'limit' || name === 'cursor')],
  answers: { 200: json('A page.', CallbackPageSchema) },
  failures: ['invalid_input_format', 'store_unavailable'],
  schemas,
}

export const postResend: Operation = {
  operationId: 'resendCallback',
  summary: 'Send a callback again, now',
  tag,
  parameters: [ticketId],
  answers: {
    202: {
      description: 'The callback is sent again, with a new round of attempts.',
      content: { 'application/json': { schema: CallbackSchema } },
    },
  },
  failures: ['not_found', 'conflict', 'callback_not_allowed', 'store_unavailable'],
  schemas,
}

/** `POST /event` takes preferences and keys where there are tickets. */
export const eventWithTickets = (operation: Operation): Operation => ({
  ...operation,
  parameters: [...(operation.parameters ?? []), prefer, idempotencyKey],
  body: { content: { ...operation.body?.content, ...CLOUD_EVENTS_CONTENT } },
  answers: {
    200: {
      description: 'The outcome.',
      headers: {
        location: { description: 'The ticket, with `Prefer: respond-async, wait=…`.' },
        'idempotency-replayed': { description: '`true`: the answer to an earlier request with this key.' },
        'preference-applied': { description: '`respond-async`, if you asked for it.' },
      },
      content: {
        ...operation.answers[200]?.content,
        // With a key, the ticket is watched.
        'text/event-stream': {
          schema: v.string(),
          events: { ...EVENT_STREAM, status: TICKET_STREAM.status },
        },
      },
    },
    202: acceptedTickets,
  },
  failures: [...operation.failures, ...ACCEPT_FAILURES],
  schemas: { ...operation.schemas, ...TICKET_SCHEMAS, Batch: BatchSchema },
})
