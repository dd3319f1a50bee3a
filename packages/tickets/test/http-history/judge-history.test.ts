import { expect, it } from 'vitest'
import type { HttpHistory } from './history.ts'
import { judgeHistory } from './judge-history.ts'

const OUTCOME = '{"completion":"Blue."}'

/** One ticket from its acceptance to its callback, as it should be. */
const GOOD: HttpHistory = {
  sent: [{ eventId: 'e1', key: 'k1', start: 0, end: 10, httpStatus: 202, ticketId: 't1' }],
  reads: [
    { ticketId: 't1', start: 20, end: 25, httpStatus: 200, status: 'in_progress' },
    { ticketId: 't1', start: 40, end: 45, httpStatus: 200, status: 'completed', outcome: OUTCOME },
  ],
  callbacks: [{ ticketId: 't1', webhookId: 'm1', body: '{}', outcome: OUTCOME }],
  records: [{ id: 't1', eventId: 'e1', status: 'completed', outcome: OUTCOME }],
}

const planted = (change: Partial<HttpHistory>): readonly string[] => judgeHistory({ ...GOOD, ...change })

it('finds nothing where all is well', () => {
  expect(judgeHistory(GOOD)).toEqual([])
})

it('lets those be who said that they do not know, and those who said nothing', () => {
  const details = 'The ticket store did not say whether it has taken the ticket.'
  expect(
    planted({
      sent: [
        { eventId: 'e1', key: 'k1', start: 0 },
        { eventId: 'e1', key: 'k1', start: 5, end: 9, httpStatus: 503, details },
        { eventId: 'e2', start: 5, end: 9, httpStatus: 503, details },
        { eventId: 'e3', start: 5, end: 9, httpStatus: 503, details: 'Nothing was accepted; try again.' },
      ],
    }),
  ).toEqual([])
})

it.each<[name: string, change: Partial<HttpHistory>, found: RegExp]>([
  ['a 202 without a ticket', { records: [] }, /t1 was promised and is lost/],
  [
    'a 202 with the ticket of somebody else',
    { records: [{ id: 't1', eventId: 'e9', status: 'completed', outcome: OUTCOME }] },
    /t1 is the ticket of e9/,
  ],
  [
    'a refusal of what is there',
    {
      sent: [
        { eventId: 'e1', start: 0, end: 9, httpStatus: 503, details: 'Nothing was accepted; try again.' },
      ],
    },
    /e1 was refused, and is there/,
  ],
  [
    'two tickets of one key',
    {
      sent: [...GOOD.sent, { eventId: 'e1', key: 'k1', start: 50, end: 60, httpStatus: 202, ticketId: 't2' }],
    },
    /the key k1 has 2 tickets/,
  ],
  [
    'a second ticket that nobody was told of',
    { records: [...GOOD.records, { id: 't2', eventId: 'e1', status: 'completed', outcome: OUTCOME }] },
    /the key k1 has 2 tickets/,
  ],
  [
    'a promised ticket that is not found',
    { reads: [{ ticketId: 't1', start: 11, end: 12, httpStatus: 404 }] },
    /t1 was promised and not found/,
  ],
  [
    'an end that is taken back',
    {
      reads: [...GOOD.reads, { ticketId: 't1', start: 46, end: 50, httpStatus: 200, status: 'queued' }],
    },
    /t1 was completed, and then queued/,
  ],
  [
    'another outcome for a reader',
    {
      reads: [
        {
          ticketId: 't1',
          start: 40,
          end: 45,
          httpStatus: 200,
          status: 'completed',
          outcome: '{"completion":"Red."}',
        },
      ],
    },
    /t1 was told with another outcome than it has/,
  ],
  [
    'another outcome in the callback',
    { callbacks: [{ ticketId: 't1', webhookId: 'm1', body: '{}', outcome: '{"completion":"Red."}' }] },
    /t1 was told with another outcome than it has/,
  ],
  [
    'a callback under a second id',
    {
      callbacks: [...GOOD.callbacks, { ticketId: 't1', webhookId: 'm2', body: '{}', outcome: OUTCOME }],
    },
    /t1 was called back in 2 ways/,
  ],
  ['an end without a callback', { callbacks: [] }, /t1 was not called back/],
  [
    'a callback of a ticket that is not there',
    {
      callbacks: [...GOOD.callbacks, { ticketId: 't9', webhookId: 'm9', body: '{}', outcome: OUTCOME }],
    },
    /t9 was called back and is not there/,
  ],
  [
    'a ticket that never ends',
    { records: [{ id: 't1', eventId: 'e1', status: 'in_progress' }], reads: [], callbacks: GOOD.callbacks },
    /t1 has not ended/,
  ],
  [
    'a mistake of the server',
    { sent: [...GOOD.sent, { eventId: 'e5', start: 0, end: 9, httpStatus: 500 }] },
    /e5 was answered 500/,
  ],
])('finds %s', (_name, change, found) => {
  expect(planted(change).join('\n')).toMatch(found)
})

it('does not hold a look against one that began before it was answered', () => {
  const reads: HttpHistory['reads'] = [
    { ticketId: 't1', start: 40, end: 45, httpStatus: 200, status: 'completed', outcome: OUTCOME },
    { ticketId: 't1', start: 44, end: 50, httpStatus: 200, status: 'in_progress' },
    { ticketId: 't1', start: 5, end: 50, httpStatus: 404 },
  ]
  expect(planted({ reads })).toEqual([])
})
