import { expect, test } from 'vitest'
import { ticketEventOf } from './incoming.ts'

const carrying = (data: unknown, more: Record<string, string> = {}) =>
  ticketEventOf({ id: 'ce-1', source: '/mail', type: 'com.example.mail', attributes: more, data })
const ORIGIN = { ce_id: 'ce-1', ce_source: '/mail', ce_type: 'com.example.mail' }

test('an object with content is the event; its id and its metadata stay', () => {
  const data = { content: 'Hi', id: 'mine', priority: 3, metadata: { ce_type: 'mine', team: 'a' } }
  expect(carrying(data, { subject: 'Re: a' })).toEqual({
    ...data,
    metadata: { ...ORIGIN, ce_subject: 'Re: a', ce_type: 'mine', team: 'a' },
  })
})

test.each([['text'], [{ prompt: 'Hi' }], [{ messages: [] }], [['a', 'b']], [7], [false]])(
  '%j is the content of the event',
  (data) => {
    expect(carrying(data)).toEqual({ content: data, id: 'ce-1', metadata: ORIGIN })
  },
)

test('an unset id is none, and metadata that is none stays to be refused', () => {
  expect(carrying({ content: 'Hi', id: null, metadata: null })).toMatchObject({
    id: 'ce-1',
    metadata: ORIGIN,
  })
  expect(carrying({ content: 'Hi', metadata: ['a'] })).toMatchObject({ metadata: ['a'] })
})

test.each([[null], [undefined]])('there is no event in %s', (data) => {
  expect(() => carrying(data)).toThrow('The CloudEvent has no data')
})
