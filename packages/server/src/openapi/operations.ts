import { FAILURE_CODES, FAILURES } from '@ai-ticket/core'
import * as v from 'valibot'
import {
  CLOUD_EVENT_CONTENT,
  CLOUD_EVENT_HEADERS,
  CLOUD_EVENT_SCHEMAS,
  CloudEventAnswerSchema,
} from './cloud-event-schemas.ts'
import { DESK_SCHEMAS, DeskReportSchema, HealthSchema } from './desk-schemas.ts'
import { EVENT_SCHEMAS, EVENT_STREAM, EventBodySchema } from './event-schemas.ts'
import type { Answer, Operation } from './operation.ts'
import { OUTCOME_SCHEMAS, SuccessOutcomeSchema } from './outcome-schemas.ts'

const fresh = { 'cache-control': { description: '`no-store`.', required: true } }

const ok: Answer = {
  description: 'Yes.',
  headers: fresh,
  content: { 'text/plain': { schema: v.literal('ok') } },
}

export const getHealth: Operation = {
  operationId: 'getHealth',
  summary: 'How the server and its backends are',
  description:
    'Always 200; the status is in the body. Detail is for callers with a key, where there are keys.',
  tag: 'Operations',
  answers: {
    200: {
      description: 'The state.',
      headers: fresh,
      content: { 'application/json': { schema: HealthSchema } },
    },
  },
  failures: [],
  access: 'open',
  schemas: DESK_SCHEMAS,
}

export const getLivez: Operation = {
  operationId: 'getLiveness',
  summary: 'Whether the process answers',
  tag: 'Operations',
  answers: { 200: ok },
  failures: [],
  access: 'open',
}

export const getReadyz: Operation = {
  operationId: 'getReadiness',
  summary: 'Whether new events are taken',
  tag: 'Operations',
  answers: { 200: ok },
  failures: ['shutting_down'],
  access: 'open',
}

export const getBackends: Operation = {
  operationId: 'getBackends',
  summary: 'State, slots, speeds and breaker of each backend, and the waiting line',
  description: 'Does not ask any backend.',
  tag: 'Operations',
  answers: {
    200: {
      description: 'The desk.',
      headers: fresh,
      content: { 'application/json': { schema: DeskReportSchema } },
    },
  },
  failures: [],
  schemas: DESK_SCHEMAS,
}

export const getMetrics: Operation = {
  operationId: 'getMetrics',
  summary: 'Metrics in the text format of Prometheus',
  tag: 'Operations',
  answers: {
    200: { description: 'The metrics.', headers: fresh, content: { 'text/plain': { schema: v.string() } } },
  },
  failures: [],
}

export const getOpenApi: Operation = {
  operationId: 'getOpenApi',
  summary: 'This document',
  tag: 'Operations',
  answers: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { 'application/json': { schema: v.record(v.string(), v.unknown()) } },
    },
  },
  failures: [],
}

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
