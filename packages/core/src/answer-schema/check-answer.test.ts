import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../contract/json-value.ts'
import { openJsonSchema, openStandardSchema } from './open-answer-schema.ts'

const text = { type: 'string' }
const AB = { type: 'object', properties: { a: { type: 'number' }, b: text }, required: ['a', 'b'] }
const P = { type: 'object', properties: { p: text }, required: ['p'], additionalProperties: false }
const NUMBERS = { type: 'array', items: { type: 'number' } }
const RIGHT = { a: 1, b: 'x' }

async function check(
  answer: string,
  schema: Record<string, unknown> = AB,
  reason: 'stop' | 'length' | 'content_filter' = 'stop',
) {
  const opened = await openJsonSchema(schema)
  if (!opened.ok) throw new Error(opened.failure.details)
  const end = { type: 'end', text: answer, finish_reason: reason, raw_finish_reason: reason } as const
  const checked = await opened.value.check(end)
  if (checked.ok) return checked.data
  const rules = checked.problems.map(({ path, rule }) => `${path} ${rule}`.trim()).join(', ')
  return checked.isCutOff ? `cut off: ${rules}` : rules
}

describe('thoughts hold no answer', () => {
  test.each([
    [
      'before a tag whose partner the template wrote',
      'maybe {"a":0,"b":"a longer draft"} hm\n</think>\n{"a":1,"b":"x"}',
    ],
    ['between several tags', '<think>{"a":0,"b":"one"}</think>{"a":0,"b":"two"}</think>\n{"a":1,"b":"x"}'],
    ['with a bracket that never closes', 'so { "a": 0 and\n</think>\n{"a":1,"b":"x"}'],
    ['with a quotation mark that never closes', 'so {"a":0,"b":"dra\n</think>\n{"a":1,"b":"x"}'],
    ['before an answer in a fence', 'hm {"a":0,"b":"dr"}</think>\n```json\n{"a":1,"b":"x"}\n```'],
    ['of another name', '{"a":0,"b":"draft"}</thinking>\nHere: {"a":1,"b":"x"}'],
    ['of Mistral', '[THINK]{"a":0,"b":"draft"}[/THINK]{"a":1,"b":"x"}'],
    ['behind the answer', '{"a":1,"b":"x"}\n<think>was {"a":0,"b":"draft"} better?'],
  ])('%s', async (_, answer) => {
    expect(await check(answer)).toEqual(RIGHT)
  })

  test.each(['stop', 'length'] as const)('that never end, finish reason %s', async (reason) => {
    expect(await check('<think>maybe {"a":0,"b":"draft"} and then', AB, reason)).toBe('cut off: incomplete')
    expect(await check('a</think><think>maybe {"a":0,"b":"draft"} and then', AB, reason)).toBe(
      'cut off: incomplete',
    )
  })

  test('without an answer behind them there is none', async () => {
    expect(await check('maybe {"a":0,"b":"draft"}</think>I cannot say.')).toBe('json')
    expect(await check('maybe {"a":0,"b":"draft"}</think>')).toBe('json')
  })

  test.each([
    ['whole', '{"a":1,"b":"</think> and <think>"}'],
    ['between prose', 'Here: {"a":1,"b":"</think> and <think>"} as asked'],
    ['behind thoughts', '<think>hm</think>Here: {"a":1,"b":"</think> and <think>"} as asked'],
  ])('a tag inside JSON is content: %s', async (_, answer) => {
    expect(await check(answer)).toEqual({ a: 1, b: '</think> and <think>' })
  })

  test('a text is read without them', async () => {
    expect(await check('It may be Paris.</think>\nBern', text)).toBe('Bern')
    expect(await check('A <think> opens it.', text)).toBe('A <think> opens it.')
  })
})

describe('the last value that matches counts', () => {
  test.each([
    ['an example before', 'For example {"a":0,"b":"example"} is the form. My answer: {"a":1,"b":"x"}'],
    ['a draft in a fence', '```json\n{"a":0,"b":"a long draft"}\n```\nBetter: {"a":1,"b":"x"}'],
    ['both in fences', '```\n{"a":0,"b":"long example"}\n```\nor\n```json\n{"a":1,"b":"x"}\n```\nDone.'],
    ['the last one is mended', 'For example {"a":0,"b":"example"}. Mine: {"a":1,"b":"x",}'],
    [
      'many drafts',
      `${Array.from({ length: 30 }, (_, n) => `{"a":0,"b":"draft ${n}"}`).join(' ')} {"a":1,"b":"x"}`,
    ],
    ['references behind', `{"a":1,"b":"x"} ${Array.from({ length: 30 }, (_, n) => `[${n}]`).join(' ')}`],
    ['other brackets behind', '{"a":1,"b":"x"} {very} short [see (1)] {"note":"none"}'],
    ['a bracket without partner behind', '{"a":1,"b":"x"} (see [1 and {so on'],
  ])('%s', async (_, answer) => {
    expect(await check(answer)).toEqual(RIGHT)
    expect(await check(answer, AB, 'length')).toEqual(RIGHT)
  })

  test('a reference behind a list of numbers is none', async () => {
    expect(await check('The numbers are [3, 5, 8], as in [1].', NUMBERS)).toEqual([3, 5, 8])
    expect(await check('It is [7]', NUMBERS)).toEqual([7])
  })

  test.each([
    ['misses a field', 'For example {"a":0,"b":"example"}. Mine: {"a":1}', '/b required'],
    [
      'cannot be read',
      'For example {"a":0,"b":"example"}. Mine: {"a":1,"b":"C:\\Users\\name and\\nmore"}',
      'json',
    ],
    ['is cut off', 'For example {"a":0,"b":"example"}. Mine: {"a":1,"b":"the fir', 'cut off: incomplete'],
  ])('an example is no answer where the answer behind it %s', async (_, answer, expected) => {
    expect(await check(answer)).toBe(expected)
  })
})

describe('what was cut off is not completed, whatever the finish reason', () => {
  test.each([
    ['in a string', '{"a":1,"b":"the first line'],
    ['in a key', '{"a":1,"b":"x","c'],
    ['behind a key', '{"a":1,"b":"x","c"'],
    ['behind a colon', '{"a":1,"b":"x","c":'],
    ['behind a comma', '{"a":1,"b":"x",'],
    ['behind its first bracket', '{'],
    ['behind another bracket', '{"a":1,"b":"x","c":{'],
    ['in a number', '{"b":"x","a":1'],
    ['in a word', '{"a":1,"b":"x","c":tru'],
    ['in a list', '{"a":1,"b":"x","c":["y"'],
    ['in a list of objects', '{"a":1,"b":"x","c":[{"d":1}'],
    ['in a fence', '```json\n{"a":1,"b":"x'],
    ['behind prose', 'Here you are: {"a":1,"b":"x'],
    ['with single quotes', "{'a':1,'b':'x"],
  ])('%s', async (_, answer) => {
    expect(await check(answer)).toBe('cut off: incomplete')
    expect(await check(answer, AB, 'length')).toBe('cut off: incomplete')
  })

  test('a list, a text and a number at the top', async () => {
    expect(await check('[1, 2', NUMBERS)).toBe('cut off: incomplete')
    expect(await check('[', NUMBERS)).toBe('cut off: incomplete')
    expect(await check('"the first line', text)).toBe('cut off: incomplete')
    expect(await check('12', { type: 'number' }, 'length')).toBe('cut off: incomplete')
    expect(await check('12', { type: 'number' })).toBe(12)
  })

  test.each(['length', 'content_filter'] as const)(
    'a text without quotation marks, finish reason %s',
    async (reason) => {
      expect(await check('The quick brown', text, reason)).toBe('cut off: incomplete')
      expect(await check('no', { enum: ['no', 'not sure'] }, reason)).toBe('cut off: incomplete')
      expect(await check('12', { type: 'number' }, reason)).toBe('cut off: incomplete')
      expect(await check('"The quick brown"', text, reason)).toBe('The quick brown')
      expect(await check('The quick brown', text)).toBe('The quick brown')
    },
  )

  test.each([
    ['nothing but its bracket is missing', '{"a":1,"b":"x"'],
    ['its quotation marks may be miscounted', '{"a":1,"b":"5" tall"}'],
  ])('the model is asked again where %s', async (_, answer) => {
    expect(await check(answer)).toBe('incomplete')
    expect(await check(answer, AB, 'length')).toBe('cut off: incomplete')
  })

  test('a fence that closes says that nothing was to follow', async () => {
    expect(await check('```json\n{"a":1,"b":"x"\n```')).toEqual(RIGHT)
  })

  test.each([
    ['a value', '{"a":1,"b":"x","c":}'],
    ['a colon and a value', '{"a":1,"b":"x","c"}'],
    ['an item', '{"a":1,"b":"x","c":[1,,2]}'],
    ['what an ellipsis stands for', '{"a":1,"b":"x","c":[1, 2, ...]}'],
    ['the end of a number', '{"a":1,"b":"x","c":2.}'],
    ['all but the sign of a number', '{"b":"x","a":-}'],
  ])('nothing is made up for %s', async (_, answer) => {
    expect(await check(answer)).toBe('json')
  })

  test.each([
    ['an apostrophe in single quotes', `{'a': 1, 'b': 'it's fine'}`],
    ['one beside double quotes', `{"c":"that's", 'a': 1, 'b': 'it's fine'}`],
  ])('%s does not become a quotation mark', async (_, answer) => {
    expect(await check(answer)).toBe('json')
  })

  test('apostrophes in other quotes stay', async () => {
    expect(await check(`{"a":1,"b":"it's",}`)).toEqual({ a: 1, b: "it's" })
    expect(await check(String.raw`{'a':1,'b':'it\'s'}`)).toEqual({ a: 1, b: "it's" })
    expect(await check(`{"a":1,"b":"he said "it's" to me"}`)).toEqual({ a: 1, b: `he said "it's" to me` })
  })

  test('null and None stay what they are', async () => {
    expect(await check('{"a":1,"b":"x","c":None,"d":null,}')).toEqual({ ...RIGHT, c: null, d: null })
  })
})

test('a text that never closes is found out however long it is', async () => {
  expect(await check(`"${'a'.repeat(1_000_000)}`, text)).toBe('cut off: incomplete')
  expect(await check(`{"p":"${'\\d '.repeat(15_000)}"}`, P)).toEqual({ p: '\\d '.repeat(15_000) })
})

describe('long numbers', () => {
  const ID = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] }

  test.each(['{"id":1187654321098765433}', '{"id":1,"price":0.12345678901234567890}'])(
    'the data keep their digits: %s',
    async (json) => {
      expect(JSON.stringify(await check(json, ID))).toBe(json)
      expect(JSON.stringify(await check(`So: ${json}`, ID))).toBe(json)
      expect(JSON.stringify(await check(json.replace('}', ',}'), ID))).toBe(json)
    },
  )

  test('a schema in the program never gets another whole number', async () => {
    const schema = await openStandardSchema(v.object({ id: v.number(), price: v.nullish(v.number()) }))
    const checkIt = (text: string) =>
      schema.check({ type: 'end', text, finish_reason: 'stop', raw_finish_reason: 'stop' })
    expect(await checkIt('{"id":1187654321098765433}')).toMatchObject({
      ok: false,
      problems: [{ path: '/id', rule: 'digits' }],
    })
    expect(await checkIt('{"id":1,"price":0.12345678901234567890}')).toMatchObject({
      data: { id: 1, price: 0.12345678901234568 },
    })
  })

  test('a value to compare with must not be another one', async () => {
    const long = parseJson('1187654321098765433')
    const refused = (schema: object) => openJsonSchema({ properties: { a: schema } })
    await expect(refused({ const: long })).resolves.toMatchObject({
      failure: { details: expect.stringContaining('`schema.properties.a.const`') },
    })
    await expect(refused({ maximum: long, default: long })).resolves.toMatchObject({ ok: true })
  })
})

describe('backslashes', () => {
  test.each([
    ['a path', String.raw`{"p":"C:\Users\new"}`, String.raw`C:\Users\new`],
    [
      'a path with a tab in its name',
      String.raw`{"p":"D:\Data\temp\readme.txt"}`,
      String.raw`D:\Data\temp\readme.txt`,
    ],
    ['a path between words', String.raw`{"p":"see C:\Users\new now"}`, String.raw`see C:\Users\new now`],
    ['a path with what looks like an escape', String.raw`{"p":"C:\x86\x41"}`, String.raw`C:\x86\x41`],
    ['a pattern', String.raw`{"p":"^\d+\w$"}`, String.raw`^\d+\w$`],
    ['a group', String.raw`{"p":"(a)\1"}`, String.raw`(a)\1`],
    ['a formula', String.raw`{"p":"\alpha + \Omega"}`, String.raw`\alpha + \Omega`],
    ['no escape of Unicode', String.raw`{"p":"\users"}`, String.raw`\users`],
    ['before a letter of another language', String.raw`{"p":"\ä"}`, String.raw`\ä`],
    ['beside a quotation mark', String.raw`{"p":"say \"\d\""}`, String.raw`say "\d"`],
    ['of Markdown', String.raw`{"p":"snake\_case \*and\* \[x\] it\'s"}`, "snake_case *and* [x] it's"],
    ['of Markdown beside escapes', String.raw`{"p":"a\_b\nc\\d"}`, 'a_b\nc\\d'],
  ])('%s', async (_, answer, expected) => {
    expect(await check(answer, P)).toEqual({ p: expected })
  })

  test.each([
    ['valid JSON', String.raw`{"p":"C:\new\table"}`, 'C:\new\table'],
    ['valid JSON with another fault', String.raw`{"p":"one\ntwo \u00e4 \\ \/",}`, 'one\ntwo ä \\ /'],
  ])('%s keeps its escapes', async (_, answer, expected) => {
    expect(await check(answer, P)).toEqual({ p: expected })
  })

  test.each([
    ['line feed or letter', String.raw`{"p":"\alpha\nand \nu"}`],
    ['one and two', String.raw`{"p":"C:\\Users\new\Data"}`],
    ['two and one', String.raw`{"p":"C:\Users\\new"}`],
    ['behind a path with a blank', String.raw`{"p":"C:\Program Files\new"}`],
    ['a pattern or Markdown', String.raw`{"p":"\d\."}`],
    ['a boundary or a backspace', String.raw`{"p":"\bword\b \d"}`],
    ['before a blank', String.raw`{"p":"a\ b"}`],
    ['an escape of other languages', String.raw`{"p":"\x41"}`],
    ['a longer one', String.raw`{"p":"\u{1f600}"}`],
    ['in single quotes', String.raw`{'p':'C:\Users\x'}`],
  ])('where both can be meant, the model is asked again: %s', async (_, answer) => {
    expect(await check(answer, P)).toBe('json')
  })

  test('a writer who does not escape in one string does not in the others', async () => {
    const both = { type: 'object', properties: { p: text, q: text } }
    const answer = String.raw`{"p":"C:\Users","q":"D:\temp\new"}`
    expect(await check(answer, both)).toEqual({ p: String.raw`C:\Users`, q: String.raw`D:\temp\new` })
    expect(await check(String.raw`{"p":"\d","q":"one\ntwo"}`, both)).toEqual({ p: '\\d', q: 'one\ntwo' })
    expect(await check(String.raw`{"p":"\d","q":"\bword\b"}`, both)).toBe('json')
  })
})
