import { expect, test } from 'vitest'
import { findJsonFault } from './json-fault.ts'

const CASES: [text: string, line: number, column: number, kind: string][] = [
  ['{"content":"line one\nline two"}', 1, 21, 'a raw line feed within a text'],
  ['{"a":1,\r\n "b":"x\ty"}', 2, 8, 'a raw tab within a text'],
  ['"\u0001"', 1, 2, 'a raw control character within a text'],
  ['{"content":}', 1, 12, 'a closing bracket where a value is missing'],
  ['}', 1, 1, 'a closing bracket where a value is missing'],
  ['{"a":1,}', 1, 7, 'a comma before a closing bracket'],
  ['{\n  "a": [1, 2,\n  ]\n}', 2, 13, 'a comma before a closing bracket'],
  ['[,1]', 1, 2, 'a comma where a value is missing'],
  ['{,}', 1, 2, 'a comma where a key is missing'],
  ['[NaN]', 1, 2, 'a bare word'],
  ['{"a":-Infinity}', 1, 6, 'a number that JSON does not know'],
  ['{"a": True}', 1, 7, 'a bare word'],
  ['content=hi', 1, 1, 'a bare word'],
  ['truely', 1, 1, 'a bare word'],
  ['[01]', 1, 2, 'a number that JSON does not know'],
  ['[1.]', 1, 2, 'a number that JSON does not know'],
  ['[.5]', 1, 2, 'a number that JSON does not know'],
  ['[+1]', 1, 2, 'a number that JSON does not know'],
  ['{a:1}', 1, 2, 'a key without double quotation marks'],
  ["{'a':1}", 1, 2, 'a quotation mark that is not a double one'],
  ['{"a":“b”}', 1, 6, 'a typographic quotation mark'],
  ['{\n// why\n"a":1}', 2, 1, 'a comment'],
  ['{"a":1 /* why */}', 1, 8, 'a comment'],
  ['{"a" 1}', 1, 6, 'a missing colon after a key'],
  ['{"a"}', 1, 5, 'a missing colon after a key'],
  ['{"a":1 "b":2}', 1, 8, 'a missing comma, or a quotation mark that ended a text too early'],
  ['{"a":"say "hi""}', 1, 12, 'a missing comma, or a quotation mark that ended a text too early'],
  ['[1}', 1, 3, 'a closing bracket of the other kind'],
  ['{"a":"C:\\Users"}', 1, 9, 'a backslash that begins no escape of JSON, within a text'],
  ['"\\u12"', 1, 2, 'a backslash that begins no escape of JSON, within a text'],
  ['{"content":', 1, 12, 'the end, where a value is missing'],
  ['{"content":"hi"', 1, 16, 'the end, before a closing bracket'],
  ['{"content":"hi', 1, 15, 'the end within a text, whose quotation mark is missing'],
  ['{"a"', 1, 5, 'the end, where a colon is missing'],
  ['{"a":1,', 1, 8, 'the end, where a key is missing'],
  ['{"a":1}\n{"a":2}', 2, 1, 'more text after the end'],
  ['{"a":1}}', 1, 8, 'more text after the end'],
  ['\u00a0{}', 1, 1, 'a space that JSON does not know'],
  ['["🎫" 1]', 1, 7, 'a missing comma, or a quotation mark that ended a text too early'],
]

test.each(CASES)('%j: line %i, column %i, %s', (text, line, column, kind) => {
  expect(findJsonFault(text)).toEqual({ line, column, kind })
})

const VALID = '{"a\\u00e9\\n":[1,-0.5e+3,{"b":null},"🎫 \\"q\\" \u007f\u2028",true,false,[],{}]}\n'

test('finds no fault in valid JSON', () => {
  for (const text of [VALID, ' 0 ', '""', '-1', 'null', '[]', '{}'])
    expect(findJsonFault(text)).toBeUndefined()
})

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('finds a fault wherever JSON.parse does, and nowhere else', () => {
  const pieces = [
    '',
    '"',
    '\\',
    ',',
    ':',
    '{',
    '}',
    '[',
    ']',
    '0',
    '-',
    '.',
    'e',
    't',
    '/',
    "'",
    '\n',
    '\t',
    ' ',
    'ü',
  ]
  for (let at = 0; at <= VALID.length; at++) {
    for (const piece of pieces) {
      for (const rest of [VALID.slice(at), VALID.slice(at + 1), '']) {
        const text = VALID.slice(0, at) + piece + rest
        expect([text, findJsonFault(text) === undefined]).toEqual([text, isJson(text)])
      }
    }
  }
})

test('takes any depth', () => {
  const deep = '[{"a":'.repeat(200_000)
  expect(findJsonFault(deep)).toMatchObject({
    column: deep.length + 1,
    kind: 'the end, where a value is missing',
  })
})
