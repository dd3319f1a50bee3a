import { expect, test } from 'vitest'
import { parseJsonBody } from './json-body.ts'
import { RequestProblem } from './request-problem.ts'

const codeOf = (bytes: Buffer): string => {
  try {
    parseJsonBody(bytes)
    return 'accepted'
  } catch (error) {
    return error instanceof RequestProblem ? error.failure.code : String(error)
  }
}

const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels))

test.each<[string, unknown]>([
  ['{"content":"hi"}', { content: 'hi' }],
  ['\ufeff{"content":"hi"}', { content: 'hi' }],
  ['null', null],
  ['"text"', 'text'],
  [
    '{"constructor":"fine","a":{"constructor":{"b":1}}}',
    { constructor: 'fine', a: { constructor: { b: 1 } } },
  ],
])('takes %s', (text, value) => {
  expect(parseJsonBody(Buffer.from(text))).toEqual(value)
})

test.each([
  ['', 'invalid_request'],
  ['{"content":', 'invalid_request'],
  ['content=hi', 'invalid_request'],
  ['{"__proto__":{"admin":true}}', 'invalid_request'],
  ['{"a":[{"\\u005f_proto__":1}]}', 'invalid_request'],
  ['{"constructor":{"prototype":{"admin":true}}}', 'invalid_request'],
])('refuses %j', (text, code) => {
  expect(codeOf(Buffer.from(text))).toBe(code)
})

test('refuses bytes that are not UTF-8, which would reach the model as question marks', () => {
  expect(codeOf(Buffer.from('{"content":"caf\u00e9"}', 'latin1'))).toBe('invalid_request')
})

test('takes 64 levels and refuses 65, and 50,000', () => {
  expect(codeOf(nested(64))).toBe('accepted')
  expect(codeOf(nested(65))).toBe('invalid_input_format')
  expect(codeOf(nested(50_000))).toBe('invalid_input_format')
  expect(codeOf(Buffer.from(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`))).toBe('invalid_input_format')
})

test('says where the fault is and of what kind, and does not quote the body', () => {
  const thrownBy = (text: string, name?: string) => () => parseJsonBody(Buffer.from(text), name)
  expect(thrownBy('{"content": secret prompt}')).toThrow(
    /^The body is not valid JSON: line 1, column 13 has a bare word\.$/,
  )
  expect(thrownBy('\ufeff{"content":"secret"\n,}')).toThrow(
    /^The body is not valid JSON: line 2, column 1 has a comma before a closing bracket\.$/,
  )
  expect(thrownBy('{"secret', 'The line')).toThrow(
    /^The line is not valid JSON: column 9 has the end within a text, whose quotation mark is missing\.$/,
  )
})

const LIMIT_OF_KEYS = 10_000
const LIMIT_OF_VALUES = 100_000

test('takes 10,000 keys and refuses one more, wherever they are', () => {
  const withKeys = (count: number, prefix = '') =>
    Buffer.from(`[${prefix}${Array.from({ length: count }, (_, index) => `{"${index}":""}`).join()}]`)
  expect(codeOf(withKeys(LIMIT_OF_KEYS))).toBe('accepted')
  expect(codeOf(withKeys(LIMIT_OF_KEYS + 1))).toBe('payload_too_large')
  // A colon, a comma and a bracket within a text are none, and a quotation mark behind a backslash ends none.
  expect(codeOf(withKeys(LIMIT_OF_KEYS, '":,[{\\":\\\\",'))).toBe('accepted')
  expect(codeOf(withKeys(LIMIT_OF_KEYS + 1, '"\\"",'))).toBe('payload_too_large')
  // Keys that are overwritten were keys.
  const same = `{${Array.from({ length: LIMIT_OF_KEYS + 1 }, () => '"":0').join()}}`
  expect(codeOf(Buffer.from(same))).toBe('payload_too_large')
})

test('takes 100,000 values and refuses one more, lists and objects included', () => {
  const list = (items: string[], gap = '') => Buffer.from(`[${gap}${items.join(`${gap},${gap}`)}${gap}]`)
  const items = (count: number, item: string) => Array.from({ length: count }, () => item)
  for (const item of ['1', '[]', '{ }', '""', 'null', '[\n]']) {
    expect(codeOf(list(items(LIMIT_OF_VALUES - 1, item))), item).toBe('accepted')
    expect(codeOf(list(items(LIMIT_OF_VALUES, item), ' ')), item).toBe('payload_too_large')
  }
})

test('counts before it parses: what is no JSON at all costs no more', () => {
  expect(codeOf(Buffer.from('['.repeat(LIMIT_OF_VALUES + 1)))).toBe('payload_too_large')
  expect(codeOf(Buffer.from(`"${'\\"'.repeat(1_000_000)}`))).toBe('invalid_request')
})
