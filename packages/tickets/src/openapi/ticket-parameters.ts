import type { FailureCode } from '@ai-ticket/core'
import type { Answer, Parameter } from '@ai-ticket/http-server/openapi'
import * as v from 'valibot'
import { CALLBACK_STATES } from '../ticket/delivery.ts'
import { TICKET_STATUSES } from '../ticket/ticket.ts'
import { BatchSchema, TicketSchema } from './ticket-schemas.ts'

/** For the routes of other packages that show rows. */
export { TicketRowSchema } from './ticket-schemas.ts'

const text = v.string()
const query = (name: string, description: string, schema: v.GenericSchema = text): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
})

/** The id of a ticket, in the path. */
export const ticketId: Parameter = {
  name: 'id',
  in: 'path',
  description: 'The id of the ticket.',
  schema: text,
}

/** The header `Idempotency-Key`. */
export const idempotencyKey: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'The same key and body is the same ticket; the same key with another body is refused. Bare, or as the string of a ' +
    'structured field; 1 to 255 printable ASCII characters. Remembered for 24 hours.',
  schema: v.pipe(v.string(), v.minLength(1), v.maxLength(257)),
}

/** The header `Prefer`. */
export const prefer: Parameter = {
  name: 'Prefer',
  in: 'header',
  description:
    '`respond-async`: answered 202, as a ticket. `respond-async, wait=10`: after 10 seconds at most.',
  schema: text,
}

/** How long a request may wait for the end of a ticket. */
export const wait: Parameter = query(
  'wait',
  'Answers when the ticket is finished, or when this time is over: `30s`, `500ms`, seconds. At most five minutes.',
  v.pipe(v.string(), v.regex(/^\d{1,9}(ms|s|m)?$/)),
)

const SEQUENCE = 'Goes on after this event of a stream that broke off.'
/** Where a stream that broke off is taken up, in the query. */
export const startingAfter: Parameter = query('starting_after', SEQUENCE)
/** The same as a header, as browsers send it. */
export const lastEventId: Parameter = { ...startingAfter, name: 'Last-Event-ID', in: 'header' }

const statuses = TICKET_STATUSES.join('|')
const timestamp = v.pipe(v.string(), v.isoTimestamp())

/** The filters of a list; `read-query.ts` reads them. */
export const TICKET_FILTERS: readonly Parameter[] = [
  query(
    'status',
    `One or more of ${TICKET_STATUSES.join(', ')}, with commas.`,
    v.pipe(v.string(), v.regex(new RegExp(`^ *(${statuses})( *, *(${statuses}))* *$`))),
  ),
  query('kind', '`event`: answered at once, and only recorded.', v.picklist(['ticket', 'event'])),
  query('callback', 'Of its callback; `waiting`: the ticket has not ended.', v.picklist(CALLBACK_STATES)),
  query('wasted', 'Only those for which a backend worked in vain.', v.literal('true')),
  query('limit', 'Default 50.', v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(200))),
  query('created_from', 'First moment that counts.', timestamp),
  query('created_before', 'The first moment after the range.', timestamp),
  query('backend', 'Of the answer; of one that has none yet, the backend that its event asks for.'),
  query('model', 'Of the answer; of one that has none yet, the model that its event asks for.'),
  query('error', 'The code that it failed with.'),
  query('event_id', 'The id of the event.'),
  query('key', 'The name of the API key that sent it.'),
  query('door', 'The API through which it arrived: event, tickets, openai, responses, anthropic, kobold.'),
  query('idempotency_key', 'As it was sent.'),
  query('text', 'In the event or the answer, any case.'),
  query('replay_of', 'Only what was replayed from this ticket.'),
  query('cursor', '`next_cursor` of the page before.'),
]

/** What a list holds of each ticket. */
export const view: Parameter = query(
  'view',
  '`row`: what a table shows, without events and outcomes. Default `full`.',
  v.picklist(['row', 'full']),
)

/** `status` of `GET /callbacks`. */
export const callbackStatus: Parameter = query(
  'status',
  'Default: any.',
  v.picklist(['pending', 'delivered', 'dead']),
)

/** `metadata.<name>=…`, which a description can only give as an object. */
export const metadataFilter: Parameter = {
  ...query(
    'metadata',
    'Text values of the metadata of the event: `metadata.customer=42`.',
    v.record(text, text),
  ),
}

const headers = {
  location: { description: 'The address of the ticket.', required: true },
  'retry-after': { description: 'Seconds until you should ask again.', required: true },
  'idempotency-replayed': { description: '`true`: the key was known, so no new ticket was made.' },
}

/** The ticket was taken; it is on disk. */
export const acceptedTicket: Answer = {
  description: 'The ticket; it is on disk.',
  headers,
  content: { 'application/json': { schema: TicketSchema } },
}

/** The same for a route that takes batches, too. */
export const acceptedTickets: Answer = {
  description: 'The ticket, which is on disk. For a batch of CloudEvents, the result for each event.',
  headers: {
    location: { description: 'The address of the ticket; not for a batch.' },
    'retry-after': { description: 'Seconds until you should ask again; not for a batch.' },
    'idempotency-replayed': headers['idempotency-replayed'],
    'preference-applied': { description: '`respond-async`, if you asked for it.' },
  },
  content: { 'application/json': { schema: v.union([TicketSchema, BatchSchema]) } },
}

/** The codes with which an event can be refused as a ticket. */
export const ACCEPT_FAILURES: readonly FailureCode[] = [
  'invalid_input_format',
  'missing_content_field',
  'prompt_extraction_failed',
  'callback_not_allowed',
  'idempotency_key_reused',
  'capacity_exceeded',
  'store_unavailable',
]
