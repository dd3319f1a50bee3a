import { MAX_BATCH_EVENTS } from '@ai-ticket/server/cloudevents'
import {
  CLOUD_EVENT_CONTENT,
  CloudEventSchema,
  type Content,
  FailureCodeSchema,
} from '@ai-ticket/server/openapi'
import * as v from 'valibot'
import { TicketSchema } from './ticket-schemas.ts'

const named = {
  source: v.nullable(v.string()),
  id: v.nullable(v.string()),
  status: v.pipe(
    v.number(),
    v.integer(),
    v.description('What the event alone would have been answered with.'),
  ),
}

/** What became of each event of a batch, in their order; the type is in ../http/accept-batch.ts. */
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
