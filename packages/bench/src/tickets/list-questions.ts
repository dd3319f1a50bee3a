import type { TicketQuery } from '@ai-ticket/tickets'
import { RARE_WORD } from './sample-entries.ts'

export interface ListQuestion {
  readonly what: string
  /** `at` goes from 0 to 1 over the repeats, so that no two ask for the same. */
  readonly query: (at: number, tickets: { readonly total: number; readonly now: number }) => TicketQuery
}

const DAY_MS = 24 * 3_600_000

const day = (at: number, now: number) => {
  const createdFrom = now - Math.trunc((1 + at * 27) * DAY_MS)
  return { createdFrom, createdBefore: createdFrom + DAY_MS }
}

/** What people ask of a list, alone and together; common values, rare ones and such that nothing has. */
export const LIST_QUESTIONS: readonly ListQuestion[] = [
  { what: 'the newest', query: () => ({}) },
  { what: 'status completed', query: () => ({ statuses: ['completed'] }) },
  { what: 'status failed', query: () => ({ statuses: ['failed'] }) },
  { what: 'status queued or in_progress', query: () => ({ statuses: ['queued', 'in_progress'] }) },
  { what: 'status failed or cancelled', query: () => ({ statuses: ['failed', 'cancelled'] }) },
  { what: 'kind event', query: () => ({ kind: 'event' }) },
  { what: 'kind ticket', query: () => ({ kind: 'ticket' }) },
  { what: 'backend, common', query: () => ({ backend: 'gpu-2' }) },
  { what: 'backend, rare', query: () => ({ backend: 'gpu-rare' }) },
  { what: 'backend, unknown', query: (at) => ({ backend: `gpu-${at}` }) },
  { what: 'model, common', query: () => ({ model: 'koboldcpp/model-of-gpu-1' }) },
  { what: 'model, rare', query: () => ({ model: 'koboldcpp/model-of-gpu-rare' }) },
  { what: 'error, common', query: () => ({ error: 'api_timeout' }) },
  { what: 'error, rare', query: () => ({ error: 'api_authentication_error' }) },
  { what: 'key, common', query: () => ({ caller: 'ci' }) },
  { what: 'key, rare', query: () => ({ caller: 'rare' }) },
  { what: 'key, unknown', query: (at) => ({ caller: `nobody-${at}` }) },
  { what: 'event_id', query: (at, { total }) => ({ eventId: `evt_${Math.trunc(at * total)}` }) },
  { what: 'idempotency_key, unknown', query: (at) => ({ idempotencyKey: `key-${at}` }) },
  { what: 'a day', query: (at, { now }) => day(at, now) },
  { what: 'a day, status failed', query: (at, { now }) => ({ ...day(at, now), statuses: ['failed'] }) },
  { what: 'a day, key common', query: (at, { now }) => ({ ...day(at, now), caller: 'home' }) },
  {
    what: 'a day, error rare',
    query: (at, { now }) => ({ ...day(at, now), error: 'api_authentication_error' }),
  },
  { what: 'status failed, backend common', query: () => ({ statuses: ['failed'], backend: 'gpu-3' }) },
  { what: 'status failed, backend rare', query: () => ({ statuses: ['failed'], backend: 'gpu-rare' }) },
  { what: 'status completed, key rare', query: () => ({ statuses: ['completed'], caller: 'rare' }) },
  { what: 'status failed, key common', query: () => ({ statuses: ['failed'], caller: 'home' }) },
  {
    what: 'status cancelled, error of another',
    query: () => ({ statuses: ['cancelled'], error: 'api_timeout' }),
  },
  {
    what: 'backend and model of another',
    query: () => ({ backend: 'gpu-2', model: 'koboldcpp/model-of-gpu-3' }),
  },
  { what: 'key and backend, common', query: () => ({ caller: 'mail', backend: 'gpu-3' }) },
  { what: 'key and backend, rare', query: () => ({ caller: 'rare', backend: 'gpu-rare' }) },
  { what: 'metadata, every second', query: () => ({ metadata: { source: 'mail' } }) },
  { what: 'metadata, one in 1,000', query: (at) => ({ metadata: { job: `job-${Math.trunc(at * 999)}` } }) },
  {
    what: 'metadata, one of all',
    query: (at, { total }) => ({ metadata: { row: `${Math.trunc(at * total)}` } }),
  },
  { what: 'metadata, unknown', query: (at) => ({ metadata: { job: `none-${at}` } }) },
  {
    what: 'metadata, two',
    query: (at) => ({ metadata: { source: 'crm', job: `job-${Math.trunc(at * 499) * 2 + 1}` } }),
  },
  { what: 'metadata, status failed', query: () => ({ metadata: { source: 'mail' }, statuses: ['failed'] }) },
  { what: 'text, common', query: () => ({ text: 'friendly' }) },
  { what: 'text, rare', query: () => ({ text: RARE_WORD }) },
  { what: 'text, unknown', query: (at) => ({ text: `nobody wrote ${at}` }) },
  { what: 'text, status failed', query: () => ({ text: 'friendly', statuses: ['failed'] }) },
  { what: 'text unknown, a day', query: (at, { now }) => ({ ...day(at, now), text: `nobody wrote ${at}` }) },
  { what: 'text unknown, key rare', query: (at) => ({ caller: 'rare', text: `nobody wrote ${at}` }) },
]
