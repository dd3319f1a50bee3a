import { expect, test } from 'vitest'
import { readStructured } from './read-cloud-event.ts'

const EVENT = { specversion: '1.0', id: '1', source: '/mycontext', type: 'com.example.someevent' }
const base64 = (text: string) => Buffer.from(text).toString('base64')
const problemOf = (value: unknown) => {
  try {
    readStructured(value)
  } catch (error) {
    return (error as { failure: { code: string; details: string } }).failure
  }
  throw new Error('It was taken.')
}

// The examples of the JSON format, 2.3 and 3.2.
test('reads attributes of all types, and takes null as unset', () => {
  const given = {
    ...EVENT,
    time: '2018-04-05T17:31:00Z',
    subject: null,
    unsetextension: null,
    comexampleextension1: 'value',
    comexampleothervalue: 5,
    comexampleflag: false,
    datacontenttype: 'application/xml',
    data: '<much wow="xml"/>',
  }
  expect(readStructured(given)).toEqual({
    id: '1',
    source: '/mycontext',
    type: 'com.example.someevent',
    attributes: {
      ...EVENT,
      time: '2018-04-05T17:31:00Z',
      comexampleextension1: 'value',
      comexampleothervalue: '5',
      comexampleflag: 'false',
      datacontenttype: 'application/xml',
    },
    data: '<much wow="xml"/>',
  })
})

test.each([
  ['an object', { data: { a: [1] } }, { a: [1] }],
  ['a string that is not parsed again', { data: '{"a":1}' }, '{"a":1}'],
  ['null', { data: null }, null],
  ['nothing', {}, undefined],
  ['JSON of another name', { datacontenttype: 'text/JSON; charset=utf-8', data: 7 }, 7],
  ['text', { datacontenttype: 'text/plain', data: '{"a":1}' }, '{"a":1}'],
  ['bytes of JSON', { data_base64: base64('{"a":1}') }, { a: 1 }],
  ['bytes of text', { datacontenttype: 'text/csv', data_base64: base64('a;€') }, 'a;€'],
  ['bytes of a charset', { datacontenttype: 'text/plain;charset=latin1', data_base64: 'RfI=' }, 'Eò'],
  ['bytes of XML', { datacontenttype: 'image/svg+xml', data_base64: base64('<svg/>') }, '<svg/>'],
  ['no bytes', { datacontenttype: 'image/png', data_base64: '' }, undefined],
  ['data_base64 unset', { data: 'a', data_base64: null }, 'a'],
])('reads data: %s', (_name, more, data) => {
  expect(readStructured({ ...EVENT, ...more }).data).toEqual(data)
})

test.each([
  ['specversion', { specversion: '0.3' }],
  ['specversion', { specversion: 1 }],
  ['specversion', { specversion: undefined }],
  ['id', { id: undefined }],
  ['id', { id: null }],
  ['id', { id: '' }],
  ['id', { id: 7 }],
  ['id', { id: 'a\nb' }],
  ['id', { id: 'a\ud800' }],
  ['id', { id: 'a\uffff' }],
  ['source', { source: undefined }],
  ['source', { source: '' }],
  ['source', { source: '/a b' }],
  ['source', { source: '/%zz' }],
  ['source', { source: '/ü' }],
  ['type', { type: undefined }],
  ['type', { type: '' }],
  ['subject', { subject: '' }],
  ['time', { time: 'yesterday' }],
  ['time', { time: '2018-04-05T17:31:00' }],
  ['time', { time: '2018-13-05T17:31:00Z' }],
  ['expirytime', { expirytime: 'soon' }],
  ['dataschema', { dataschema: '/no/scheme' }],
  ['datacontenttype', { datacontenttype: 'nonsense' }],
  ['Upper', { Upper: 'a' }],
  ['a_b', { a_b: 'a' }],
  ['anobject', { anobject: {} }],
  ['afraction', { afraction: 1.5 }],
  ['alarge', { alarge: 2 ** 31 }],
  ['data_base64', { data: 'a', data_base64: 'YQ==' }],
  ['data_base64', { data_base64: 'YQ' }],
  ['data_base64', { data_base64: 'Y!==' }],
  ['data_base64', { data_base64: 7 }],
  ['data', { datacontenttype: 'text/plain', data: { a: 1 } }],
])('refuses a wrong %s: %j', (name, more) => {
  const { code, details } = problemOf({ ...EVENT, ...more })
  expect(code).toBe('invalid_input_format')
  expect(details).toContain(`\`${name}\``)
})

test.each(['id', 'source', 'type', 'subject', 'dataschema', 'anextension'])(
  'refuses a %s of millions of characters',
  (name) => {
    const long = { ...EVENT, [name]: `a:${'b/'.repeat(4_000_000)}` }
    expect(problemOf(long).details).toBe(`\`${name}\` is longer than 65536 characters.`)
  },
)

test.each([
  ['urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66'],
  ['mailto:cncf-wg-serverless@lists.cncf.io'],
  ['https://github.com/cloudevents'],
  ['cloudevents/spec/pull/123'],
  ['1-555-123-4567'],
  ['http://[::1]:80/a?b#c'],
  ['/a%20b'],
])('takes the source %s', (source) => {
  expect(readStructured({ ...EVENT, source }).source).toBe(source)
})

test.each(['2018-04-05T17:31:00.123456789+01:00', '2016-12-31T23:59:60Z', '2018-04-05t17:31:00z'])(
  'takes the time %s',
  (time) => {
    expect(readStructured({ ...EVENT, time }).attributes.time).toBe(time)
  },
)

test.each([[[]], ['text'], [null], [7]])('refuses %j', (value) => {
  expect(problemOf(value).code).toBe('invalid_input_format')
})

test.each([
  [{ datacontenttype: 'image/png', data_base64: 'aGk=' }, 'unsupported_media_type'],
  [{ datacontenttype: 'text/plain; charset=klingon', data_base64: 'aGk=' }, 'unsupported_media_type'],
  [{ datacontenttype: 'text/plain', data_base64: '/w==' }, 'invalid_input_format'],
  [{ data_base64: 'aGk=' }, 'invalid_request'],
])('has no prompt for %j', (more, code) => {
  expect(problemOf({ ...EVENT, ...more }).code).toBe(code)
})
