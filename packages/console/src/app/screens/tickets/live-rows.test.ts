import { expect, test } from 'vitest'
import type { TicketRow } from '../../api/tickets.ts'
import { hearMore, hearRow, NOTHING_HEARD, showHeld, withHeard } from './live-rows.ts'

const row = (second: number, status = 'queued') =>
  ({
    id: `tkt_${second}`,
    status,
    created_at: `2026-03-01T14:00:${String(second).padStart(2, '0')}.000Z`,
    seq: second,
  }) as TicketRow

const page = { rows: [row(30), row(20)], cursor: 'next' }
const ids = ({ rows }: { readonly rows: readonly TicketRow[] }) => rows.map(({ id }) => id)

test('a row that is there is shown as it is now, where it was, held or not', () => {
  const heard = hearRow(NOTHING_HEARD, row(20, 'completed'), true)
  const { rows, waiting } = withHeard(page, heard)
  expect(rows.map(({ status }) => status)).toEqual(['queued', 'completed'])
  expect(waiting).toBe(0)
})

test('new rows wait until they are asked for, and come in the order of the list, once', () => {
  let heard = hearRow(NOTHING_HEARD, row(40), true)
  heard = hearRow(heard, row(50), true)
  heard = hearRow(heard, row(40, 'in_progress'), true)
  expect(withHeard(page, heard)).toMatchObject({ rows: page.rows, waiting: 2 })
  const { rows, waiting } = withHeard(page, showHeld(heard))
  expect(ids({ rows })).toEqual(['tkt_50', 'tkt_40', 'tkt_30', 'tkt_20'])
  expect(rows[1]?.status).toBe('in_progress')
  expect(waiting).toBe(0)
})

test('at the top they come at once, and stay when later ones wait', () => {
  let heard = hearRow(NOTHING_HEARD, row(40), false)
  heard = hearRow(heard, row(40, 'completed'), true)
  heard = hearRow(heard, row(50), true)
  const shown = withHeard(page, heard)
  expect(ids(shown)).toEqual(['tkt_40', 'tkt_30', 'tkt_20'])
  expect(shown.waiting).toBe(1)
})

test('what belongs to a page that was not loaded is left to it', () => {
  const heard = hearRow(NOTHING_HEARD, row(10), false)
  expect(ids(withHeard(page, heard))).toEqual(['tkt_30', 'tkt_20'])
  expect(ids(withHeard({ rows: page.rows }, heard))).toEqual(['tkt_30', 'tkt_20', 'tkt_10'])
  expect(ids(withHeard({ rows: [] }, heard))).toEqual(['tkt_10'])
})

test('of one millisecond, the order is that of the server, and what comes behind the last row is left to its page', () => {
  const [first, second, third] = [7, 8, 9].map((seq) => ({ ...row(30), id: `tkt_${30 - seq}`, seq }))
  if (first === undefined || second === undefined || third === undefined) throw new Error('There are three.')
  const before = { rows: [second], cursor: 'next' }
  const heard = [first, third].reduce((all, one) => hearRow(all, one, false), NOTHING_HEARD)
  expect(withHeard(before, heard).rows.map(({ seq }) => seq)).toEqual([9, 8])
  expect(withHeard({ rows: [second] }, heard).rows.map(({ seq }) => seq)).toEqual([9, 8, 7])
})

test('it holds 500 rows and counts the rest', () => {
  let heard = NOTHING_HEARD
  for (let index = 0; index < 600; index += 1)
    heard = hearRow(heard, { ...row(40), id: `tkt_${index}x` }, true)
  heard = hearRow(heard, { ...row(40, 'failed'), id: 'tkt_0x' }, true)
  expect(heard.rows.size).toBe(500)
  expect(heard.rows.get('tkt_0x')?.status).toBe('failed')
  expect(hearMore(heard, 7).untold).toBe(107)
})
