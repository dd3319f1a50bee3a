import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LongNumber, parseJson, roundNumbers } from './json-value.ts'

test.each([
  '{"channel":1187654321098765433,"text":"hi"}',
  '[9007199254740993,-9223372036854775808,18446744073709551615]',
  '[0.12345678901234567890,3.141592653589793238462643]',
  '[1e400,-1e400,1e-400,12345678901234567890e10]',
  '{"__proto__":1187654321098765433}',
  '1187654321098765433',
])('digits stay as they came: %s', (json) => {
  expect(JSON.stringify(parseJson(json))).toBe(json)
})

test.each([
  '[1,-0,0.1,1.50,1e5,100000000000000000000,1e21,0.30000000000000004,5e-324,1.7976931348623157e308]',
  '[12345678901234567000,0.00000000000000000000001,100.00000000000000000,0.0000000000000000,0e999]',
  '{"text":"1187654321098765433 1e400","image":"data:image/png;base64,12345678901234567890e123"}',
])('numbers that lose nothing stay numbers, and strings stay strings: %s', (json) => {
  expect(parseJson(json)).toStrictEqual(JSON.parse(json))
})

test('any double that was written as JSON stays a number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(parseJson(JSON.stringify([number]))).toStrictEqual(JSON.parse(JSON.stringify([number])))
    }),
  )
})

test('any whole number keeps its digits', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (number) => {
      expect(JSON.stringify(parseJson(`[${number}]`))).toBe(
        `[${BigInt(JSON.stringify(parseJson(`${number}`)))}]`,
      )
      expect(BigInt(JSON.stringify(parseJson(`${number}`)))).toBe(number)
    }),
  )
})

test('a long number calculates and compares like a number, and shows its digits', () => {
  const long = parseJson('9007199254740993') as LongNumber
  expect(long).toBeInstanceOf(LongNumber)
  expect(Number(long) / 2).toBe(4503599627370496)
  expect(`${String(long)} ${long.isWhole}`).toBe('9007199254740993 true')
  expect(roundNumbers({ a: [long], b: { c: 1 } })).toStrictEqual({ a: [9007199254740992], b: { c: 1 } })
})

test('what is no JSON is refused as ever, and what is too deep is read', () => {
  expect(() => parseJson('{"a":1187654321098765433')).toThrow(SyntaxError)
  const deep = `${'['.repeat(100_000)}1187654321098765433${']'.repeat(100_000)}`
  expect(Array.isArray(parseJson(deep))).toBe(true)
})

test.each([
  '{"a":{"1":1187654321098765433,"b":1,"0":[1187654321098765434,0]},"a\\"1187654321098765433":"\\\\","c":-1e400}',
  '[1e-400,1.00000000000000000001,2.00000000000000000001,4.00000000000000000001,0,1,2,3,4]',
  '{"n":-0.0000000000000000000012345678901234567890,"t":"\\"","m":[[[[12345678901234567891]]],{"x":"1e999"}]}',
])('each number has its own digits: %s', (json) => {
  expect(JSON.parse(JSON.stringify(parseJson(json)))).toEqual(JSON.parse(json))
  const digits = (text: string) => text.match(/\d[\d.]{15,}|\de[+-]?\d{3}/g)?.sort()
  expect(digits(JSON.stringify(parseJson(json)))).toEqual(digits(json))
})

test('a number is no key', () => {
  expect(() => parseJson('{1187654321098765433:1}')).toThrow(SyntaxError)
})

test('a number of a million digits is read in time', () => {
  const json = `[1${'0'.repeat(500_000)}1${'0'.repeat(500_000)}]`
  const startedAt = process.cpuUsage()
  expect(JSON.stringify(parseJson(json))).toBe(json)
  // Of the processor, whatever else the machine does.
  expect(process.cpuUsage(startedAt).user / 1_000).toBeLessThan(5_000)
})
