import * as v from 'valibot'
import { DESK_SCHEMAS, DeskReportSchema, HealthSchema } from './desk-schemas.ts'
import type { Answer, Operation } from './operation.ts'

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
  description: 'Asks no backend.',
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
