import { EVENT_STREAM, type Operation } from '@ai-ticket/server/openapi'
import * as v from 'valibot'
import { ACCEPT_FAILURES, acceptedTickets } from './accepted-ticket.ts'
import { BatchSchema, CLOUD_EVENTS_CONTENT } from './batch-schema.ts'
import { idempotencyKey, prefer } from './ticket-parameters.ts'
import { TICKET_SCHEMAS, TICKET_STREAM } from './ticket-schemas.ts'

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
        'preference-applied': { description: '`respond-async`, where that was asked for.' },
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
