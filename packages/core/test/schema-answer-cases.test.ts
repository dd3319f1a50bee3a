import { describe, expect, test } from 'vitest'
import { answered, BACKENDS, END, part, rawDesk, streamed } from './raw-desk.ts'

// What models write beside their answer, or instead of it, over sockets: the outcome is that of a caller with a schema.

const AB = {
  type: 'object',
  properties: { a: { type: 'number' }, b: { type: 'string' } },
  required: ['a', 'b'],
}
const PATH = { type: 'object', properties: { p: { type: 'string' } }, required: ['p'] }
const RIGHT = { data: { a: 1, b: 'x' }, schema: { repairs: 0 } }

describe.each(BACKENDS)('%s', (kind) => {
  /** The outcome of a whole answer and of a streamed one, and how often the model was asked for the first. */
  const outcomesOf = async (text: string, event: object, finishReason = 'stop') => {
    await using whole = await rawDesk(kind, answered({ content: text }, finishReason))
    const half = Math.floor(text.length / 2)
    const parts = [text.slice(0, half), text.slice(half)].map((content) => part({ content }))
    await using stream = await rawDesk(kind, streamed(...parts, part({}, finishReason), END))
    const outcomes = [await whole.ask(event), (await stream.stream(event)).outcome]
    return { outcomes, calls: whole.calls() }
  }

  test.each([
    ['a draft in thoughts', 'maybe {"a":0,"b":"a longer draft"} hm\n</think>\n{"a":1,"b":"x"}'],
    ["a draft in Kimi's thoughts", 'maybe {"a":0,"b":"draft"} ◁/think▷{"a":1,"b":"x"}'],
    [
      'a draft in another channel',
      '<|channel|>analysis<|message|>maybe {"a":0,"b":"draft"}<|end|><|start|>assistant<|channel|>final<|message|>{"a":1,"b":"x"}',
    ],
    ['an example', 'For example {"a":0,"b":"example"} is the form. My answer: {"a":1,"b":"x"}'],
  ])('%s is no answer', async (_, text) => {
    const { outcomes, calls } = await outcomesOf(text, { schema: AB })
    expect(outcomes).toMatchObject([RIGHT, RIGHT])
    expect(calls).toBe(1)
  })

  test.each([
    ['with attributes', '<think mode="deep">maybe {"a":0,"b":"draft"} and then'],
    ['with a prefix', '<seed:think>maybe {"a":0,"b":"draft"} and then'],
    ['of Kimi', '◁think▷maybe {"a":0,"b":"draft"} and then'],
    ['in a channel', '<|channel|>analysis<|message|>maybe {"a":0,"b":"draft"} and then'],
  ])('thoughts %s that never end hold no answer', async (_, text) => {
    const { outcomes } = await outcomesOf(text, { schema: AB }, 'length')
    const cut = { error: 'output_schema_mismatch', details: expect.stringContaining('still thinking') }
    expect(outcomes).toMatchObject([cut, cut])
  })

  test.each([
    ['in a string', '{"a":1,"b":"the first line', 'stop'],
    ['in a name', '{"a":1,"b":"x","c', 'stop'],
    ['in a string, for length', '{"a":1,"b":"the first line', 'length'],
  ])('what was cut off %s is not completed, and not asked for again', async (_, text, finishReason) => {
    const event = { schema: AB, parameters: { stop: ['\n'] } }
    const { outcomes, calls } = await outcomesOf(text, event, finishReason)
    const cut = {
      error: 'output_schema_mismatch',
      details: expect.stringContaining('before its JSON was complete'),
      schema: { repairs: 0, errors: [{ path: '', rule: 'incomplete' }] },
      partial: text,
    }
    expect(outcomes).toMatchObject([cut, cut])
    expect(calls).toBe(1)
  })

  test('a path keeps its backslashes', async () => {
    const { outcomes } = await outcomesOf(String.raw`{"p":"C:\Users\new"}`, { schema: PATH })
    const right = { data: { p: String.raw`C:\Users\new` }, schema: { mended: true } }
    expect(outcomes).toMatchObject([right, right])
  })
})
