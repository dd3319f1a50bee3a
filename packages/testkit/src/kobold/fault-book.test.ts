import { expect, test } from 'vitest'
import { createFaultBook } from './fault-book.ts'

test('the first fault that fits and is left is met', () => {
  const book = createFaultBook([
    { fault: 'busy', endpoint: 'chat', times: 1 },
    { fault: 'not_json', skip: 1 },
    { fault: 'null_reply', endpoint: 'any' },
  ])
  const met = ['chat', 'chat', 'native', 'perf'].map((endpoint) => book.take(endpoint)?.fault)
  expect(met).toEqual(['busy', 'null_reply', 'not_json', 'null_reply'])
})

test('a closed port is no fault of a call', () => {
  const book = createFaultBook([{ fault: 'refuse' }])
  expect([book.refuses(), book.take('chat'), book.take('connection')]).toEqual([true, undefined, undefined])
  book.set([])
  expect(book.refuses()).toBe(false)
})
