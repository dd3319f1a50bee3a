import type { FailureCode } from '@ai-ticket/core'
import type { Answer } from '@ai-ticket/server/openapi'
import * as v from 'valibot'
import { BatchSchema } from './batch-schema.ts'
import { TicketSchema } from './ticket-schemas.ts'

const headers = {
  location: { description: 'Where to look for the answer.', required: true },
  'retry-after': { description: 'Seconds after which a look is worth it.', required: true },
  'idempotency-replayed': { description: '`true`: the key was known, nothing new was taken.' },
}

/** The ticket was taken; it is on disk. */
export const acceptedTicket: Answer = {
  description: 'The ticket, which is on disk.',
  headers,
  content: { 'application/json': { schema: TicketSchema } },
}

/** Where a batch may come, too. */
export const acceptedTickets: Answer = {
  description: 'The ticket, which is on disk; for a batch of CloudEvents what became of each.',
  headers: {
    location: { description: 'Where to look for the answer; not for a batch.' },
    'retry-after': { description: 'Seconds after which a look is worth it; not for a batch.' },
    'idempotency-replayed': headers['idempotency-replayed'],
    'preference-applied': { description: '`respond-async`, where that was asked for.' },
  },
  content: { 'application/json': { schema: v.union([TicketSchema, BatchSchema]) } },
}

/** What an event that should become a ticket can be refused with. */
export const ACCEPT_FAILURES: readonly FailureCode[] = [
  'invalid_input_format',
  'missing_content_field',
  'prompt_extraction_failed',
  'callback_not_allowed',
  'idempotency_key_reused',
  'capacity_exceeded',
  'store_unavailable',
]
