import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SUCCESS } from '../../test/fake-dispatcher.ts'
import { readBinary, readStructured } from './read-cloud-event.ts'
import { answerInMode } from './reply-to-caller.ts'

const NAMES = {
  id: 'a-1',
  source: 'http://127.0.0.1:5000/event',
  subject: 'tkt_1',
  time: '2027-01-31T08:00:00Z',
}

/** What an attribute may be: any text without control characters, half surrogates and what is no character. */
const text = fc
  .string({ unit: 'binary', minLength: 1 })
  .filter((value) => value.isWellFormed() && !/\p{Cc}|\p{Noncharacter_Code_Point}/u.test(value))

const asked = fc.record({ id: text, correlationid: text, tracestate: fc.option(text, { nil: undefined }) })

function causeOf({
  id,
  correlationid,
  tracestate,
}: {
  id: string
  correlationid: string
  tracestate?: string | undefined
}) {
  const given = { specversion: '1.0', id, source: '/a', type: 'b', correlationid, tracestate }
  return readStructured(JSON.parse(JSON.stringify(given)))
}

test.each(['binary', 'structured'] as const)('what is written in %s mode is read again', (mode) => {
  fc.assert(
    fc.property(asked, (given) => {
      const plain = { status: 200, headers: {}, body: SUCCESS }
      const { headers, body } = answerInMode(plain, SUCCESS, { mode, cloudEvent: causeOf(given) }, NAMES)
      const bytes = Buffer.from(JSON.stringify(body))
      const rawHeaders = Object.entries(headers).flat()
      const message = { headers, rawHeaders } as unknown as IncomingMessage
      const read = mode === 'binary' ? readBinary(message, bytes) : readStructured(JSON.parse(String(bytes)))
      const { datacontenttype, ...attributes } = read.attributes
      expect(datacontenttype).toMatch(/^application\/json/)
      expect(attributes).toEqual({
        specversion: '1.0',
        type: 'dev.aiticket.event.completed.v1',
        ...NAMES,
        causationid: given.id,
        correlationid: given.correlationid,
        ...(given.tracestate === undefined ? {} : { tracestate: given.tracestate }),
      })
      expect(read.data).toEqual(SUCCESS)
    }),
  )
})
