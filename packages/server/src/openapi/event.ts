import { FAILURE_CODES, FAILURES } from '@ai-ticket/core'
import * as v from 'valibot'
import { CLOUD_EVENT_CONTENT, CLOUD_EVENT_HEADERS } from './cloud-event-parts.ts'
import { CLOUD_EVENT_SCHEMAS, CloudEventAnswerSchema } from './cloud-event-schemas.ts'
import { EVENT_SCHEMAS, EVENT_STREAM, EventBodySchema } from './event-schemas.ts'
import type { Operation } from './operation.ts'
import { OUTCOME_SCHEMAS, SuccessOutcomeSchema } from './outcome-schemas.ts'

/** What an event can end in, once it is one. */
export const EVENT_FAILURES = FAILURE_CODES.filter((code) => FAILURES[code].stage !== 'edge')

export const postEvent: Operation = {
  operationId: 'createEvent',
  summary: 'Answer an event',
  description:
    'Waits for the answer. With `Accept: text/event-stream` it comes as it is made: `delta` (or `partial`, where the ' +
    'event has a schema), then one `done` or `error`. What is refused before the event is admitted is plain JSON with ' +
    'its status. A CloudEvent is answered in the mode in which it came. Hanging up cancels the event.',
  tag: 'Events',
  parameters: CLOUD_EVENT_HEADERS,
  body: {
    content: {
      'application/json': {
        schema: EventBodySchema,
        examples: {
          text: { content: 'Why is the sky blue?' },
          chat: {
            content: { messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
            parameters: { max_tokens: 150 },
          },
        },
      },
      ...CLOUD_EVENT_CONTENT,
    },
  },
  answers: {
    200: {
      description: 'The outcome.',
      content: {
        'application/json': { schema: SuccessOutcomeSchema },
        'application/cloudevents+json': { schema: CloudEventAnswerSchema },
        'text/event-stream': { schema: v.string(), events: EVENT_STREAM },
      },
    },
  },
  failures: EVENT_FAILURES,
  failureShape: 'event',
  schemas: { ...OUTCOME_SCHEMAS, ...EVENT_SCHEMAS, ...CLOUD_EVENT_SCHEMAS },
}
