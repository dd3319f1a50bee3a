import { expect, test } from 'vitest'
import { traceHeaders } from './trace-headers.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const VALID = `00-${TRACE}-${SPAN}-01`

test('a valid traceparent is handed on, with its state', () => {
  expect(traceHeaders({ traceparent: VALID })).toEqual({ traceparent: VALID })
  expect(traceHeaders({ traceparent: VALID, tracestate: 'a=1' })).toEqual({
    traceparent: VALID,
    tracestate: 'a=1',
  })
  expect(traceHeaders({ traceparent: VALID, tracestate: 'a'.repeat(3_000) })).toEqual({ traceparent: VALID })
})

test.each(['a=1,b@c=2', ' a=1 , , b=2', 'a='.padEnd(200, 'x')])(
  'a tracestate that W3C allows is kept: %j',
  (tracestate) => {
    expect(traceHeaders({ traceparent: VALID, tracestate })).toEqual({ traceparent: VALID, tracestate })
  },
)

test.each([
  'a=漢',
  'a=1\r\nx: 1',
  'a=\u007f',
  'a',
  'a=',
  'A=1',
  'a=b=c',
  'a=1;'.repeat(200),
  'a=1,'.repeat(33),
])('a tracestate that W3C does not allow is dropped: %j', (tracestate) => {
  expect(traceHeaders({ traceparent: VALID, tracestate })).toEqual({ traceparent: VALID })
})

test('a later version may say more', () => {
  const later = `01-${TRACE}-${SPAN}-01-more`
  expect(traceHeaders({ traceparent: later })).toEqual({ traceparent: later })
})

test.each([
  undefined,
  '',
  'nonsense',
  VALID.toUpperCase(),
  `${VALID}-more`,
  `${VALID}, ${VALID}`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `01-${TRACE}-${SPAN}-01-${'x'.repeat(200)}`,
])('%s is no trace, and its state goes with it', (traceparent) => {
  expect(
    traceHeaders({ ...(traceparent === undefined ? {} : { traceparent }), tracestate: 'a=1' }),
  ).toBeUndefined()
})
