import { expect, test } from 'vitest'
import type { TicketRow } from '../../api/tickets.ts'
import { groupFailures } from './groups.ts'

const row = (id: string, error: string, backend: string | undefined, at: number, kept = true): TicketRow => ({
  id,
  event_id: id,
  kind: 'ticket',
  status: 'failed',
  created_at: new Date(at).toISOString(),
  seq: at,
  started_at: null,
  finished_at: null,
  priority: 0,
  runs: 1,
  attempts: 1,
  usage: null,
  wasted_ms: 0,
  prompt: '',
  answer: null,
  kept,
  error: error as never,
  ...(backend !== undefined && { backend }),
})

test('groups by code and backend, the largest first, the newest of two alike first', () => {
  const groups = groupFailures([
    row('a', 'api_timeout', 'big', 1),
    row('b', 'api_server_error', 'big', 2),
    row('c', 'api_timeout', 'big', 9, false),
    row('d', 'api_timeout', undefined, 3),
  ])
  expect(groups.map(({ error, backend, rows }) => [error, backend, rows.map(({ id }) => id).join()])).toEqual(
    [
      ['api_timeout', 'big', 'a,c'],
      ['api_timeout', '', 'd'],
      ['api_server_error', 'big', 'b'],
    ],
  )
  expect(groups[0]).toMatchObject({ newest: new Date(9).toISOString(), replayable: [{ id: 'a' }] })
})
