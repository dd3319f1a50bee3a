import { parseJson } from '@ai-ticket/core'
import { describe, expect, test } from 'vitest'
import { asking, BACKENDS, END, part, sse } from './raw-desk.ts'

// How servers write the calls of tools, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const { streamOf, askFor } = asking(kind)

  const look = { id: 'a', function: { name: 'look', arguments: '' } }
  const pieces = (...fields: object[]) => fields.map((one) => ({ function: { ...one } }))

  test.each([
    ['without id and index', [look, ...pieces({ arguments: '{"city":' }, { arguments: '"Bern"}' })]],
    ['without id, with null for a name', [look, ...pieces({ name: null, arguments: '{"city":"Bern"}' })]],
    [
      'with an index that counts on',
      [
        { ...look, index: 0 },
        { index: 1, function: { arguments: '{"city":' } },
        { index: 2, function: { arguments: '"Bern"}' } },
      ],
    ],
    [
      'with an index only later',
      [
        look,
        { index: 0, function: { arguments: '{"city":' } },
        { index: 0, function: { arguments: '"Bern"}' } },
      ],
    ],
    [
      'with an empty id',
      [look, { id: '', function: { arguments: '{"city":' } }, { id: '', function: { arguments: '"Bern"}' } }],
    ],
    [
      'with another id in each piece',
      [
        { ...look, index: 0 },
        { index: 0, id: 'b', function: { arguments: '{"city":' } },
        { index: 0, id: 'c', function: { arguments: '"Bern"}' } },
      ],
    ],
    [
      'with id and name in each piece',
      [
        look,
        { ...look, function: { name: 'look', arguments: '{"city":' } },
        { id: 'a', function: { arguments: '"Bern"}' } },
      ],
    ],
    [
      'with the whole call once more at the end',
      [
        { ...look, index: 0 },
        { index: 0, function: { arguments: '{"city":"Bern"}' } },
        { id: 'a', index: 0, function: { name: 'look', arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'with a place written as text',
      [
        { ...look, index: '0' },
        { index: '0', function: { arguments: '{"city":' } },
        { index: '0', function: { arguments: '"Bern"}' } },
      ],
    ],
    [
      'with its name in pieces',
      [
        { index: 0, id: 'a', function: { name: 'lo', arguments: '' } },
        { index: 0, function: { name: 'ok', arguments: '' } },
        { index: 0, function: { arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'beside calls that say nothing',
      [
        { ...look, index: 0 },
        { index: 0, id: null, function: { name: null, arguments: '{"city":"Bern"}' } },
        { index: 0, id: null, function: { name: null, arguments: null } },
        { index: 1, id: '', function: { name: '', arguments: '' } },
      ],
    ],
    [
      'with the function later',
      [{ id: 'a', function: null }, ...pieces({ name: 'look', arguments: '{"city":"Bern"}' })],
    ],
    [
      'that each hold all arguments so far',
      [
        { ...look, index: 0 },
        { index: 0, function: { arguments: '{"ci' } },
        { index: 0, function: { arguments: '{"city":"Be' } },
        { index: 0, function: { arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'that each hold all arguments so far, from the first bracket',
      [
        { index: 0, id: 'a', function: { name: 'look', arguments: '{' } },
        { index: 0, function: { arguments: '{"city":' } },
        { index: 0, function: { arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'that each hold the whole call so far',
      ['{"ci', '{"city":"Be', '{"city":"Bern"}', '{"city":"Bern"}'].map((text) => ({
        index: 0,
        id: 'a',
        function: { name: 'look', arguments: text },
      })),
    ],
    [
      'that each hold the whole call so far, without an index',
      ['{"ci', '{"city":"Be', '{"city":"Bern"}'].map((text) => ({
        id: 'a',
        function: { name: 'look', arguments: text },
      })),
    ],
    [
      'that each hold the whole call so far, with another id',
      ['{"ci', '{"city":"Be', '{"city":"Bern"}'].map((text, at) => ({
        index: 0,
        id: 'abc'[at],
        function: { name: 'look', arguments: text },
      })),
    ],
    [
      'that each hold what is known so far as whole JSON',
      ['{}', '{"city":"Be"}', '{"city":"Bern"}'].map((text) => ({
        index: 0,
        id: 'a',
        function: { name: 'look', arguments: text },
      })),
    ],
    [
      'with its arguments once more at the end',
      [
        { ...look, index: 0 },
        { index: 0, function: { arguments: '{"city":' } },
        { index: 0, function: { arguments: '"Bern"}' } },
        { index: 0, function: { arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'with name and arguments once more at the end, without its id',
      [
        { ...look, index: 0 },
        { index: 0, function: { arguments: '{"city":' } },
        { index: 0, function: { arguments: '"Bern"}' } },
        { index: 0, function: { name: 'look', arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'with one id at several places',
      [
        { ...look, index: 0 },
        { ...look, index: 1, function: { name: 'look', arguments: '{"city":"Bern"}' } },
        { ...look, index: 2, function: { name: 'look', arguments: '{"city":"Bern"}' } },
      ],
    ],
    [
      'with JSON within JSON',
      [{ ...look, index: 0, function: { name: 'look', arguments: '"{\\"city\\":\\"Bern\\"}"' } }],
    ],
  ])('a call of a tool in pieces %s is one call', async (_, parts) => {
    const { outcome } = await streamOf(
      ...parts.map((one) => part({ tool_calls: [one] })),
      part({}, 'tool_calls'),
      END,
    )
    expect(outcome).toMatchObject({ finish_reason: 'tool_calls' })
    expect(outcome.error === undefined && outcome.tool_calls).toEqual([
      { id: 'a', type: 'function', function: { name: 'look', arguments: '{"city":"Bern"}' } },
    ])
  })

  const call = (name: string, text: string, more: object = {}) => ({
    ...more,
    function: { name, arguments: text },
  })

  test.each([
    ['with ids', [call('a', '{}', { id: 'x' }), call('b', '{"n":1}', { id: 'y' })]],
    [
      'with ids, in pieces',
      [call('a', '{}', { id: 'x' }), call('b', '', { id: 'y' }), ...pieces({ arguments: '{"n":1}' })],
    ],
    ['without ids', [call('a', '{}'), call('b', '{"n":1}')]],
    ['without ids, the first without arguments', [call('a', ''), call('b', '{"n":1}')]],
    ['all with the index 0', [call('a', '{}', { index: 0 }), call('b', '{"n":1}', { index: 0 })]],
    [
      'all with the index 0, the first without arguments',
      [call('a', '', { index: 0 }), call('b', '{"n":1}', { index: 0 })],
    ],
    [
      'with places written as text, in turn',
      [
        call('a', '{', { index: '0' }),
        call('b', '{"n":', { index: '1' }),
        { index: '0', function: { arguments: '}' } },
        { index: '1', function: { arguments: '1}' } },
      ],
    ],
    [
      'with one id for all',
      [call('a', '{}', { index: 0, id: 'x' }), call('b', '{"n":1}', { index: 1, id: 'x' })],
    ],
  ])('several calls stay several %s', async (_, parts) => {
    const { outcome } = await streamOf(
      ...parts.map((one) => part({ tool_calls: [one] })),
      part({}, 'tool_calls'),
      END,
    )
    expect(outcome.error === undefined && outcome.tool_calls).toMatchObject([
      { function: { name: 'a', arguments: '{}' } },
      { function: { name: 'b', arguments: '{"n":1}' } },
    ])
  })

  test.each([
    ['"aaa"', ['{"t":"a', 'a', 'a"}'], '{"t":"aaa"}'],
    ['an object within one like it', ['{"t":', '{"t":1', '}}'], '{"t":{"t":1}}'],
    ['an object in one piece within one like it', ['{"t":', '{"t":1}}'], '{"t":{"t":1}}'],
    ['lists of lists', ['{"t":', '[[', '[[', '1]]]]}'], '{"t":[[[[1]]]]}'],
    ['brackets in a text', ['{"t":"', '{', '{', '"}'], '{"t":"{{"}'],
  ])('arguments whose pieces begin alike stay as they are: %s', async (_, texts, expected) => {
    const pieces = texts.map((text) => part({ tool_calls: [{ index: 0, function: { arguments: text } }] }))
    const first = part({ tool_calls: [{ ...look, index: 0 }] })
    const { outcome } = await streamOf(first, ...pieces, part({}, 'tool_calls'), END)
    expect(outcome).toMatchObject({ tool_calls: [{ function: { name: 'look', arguments: expected } }] })
  })

  test('a tool that is called twice, without ids and at the same place, is called twice', async () => {
    const calls = [1, 2].flatMap((n) => [
      { index: 0, function: { name: 'look', arguments: '' } },
      { index: 0, function: { arguments: `{"n":${n}}` } },
    ])
    const events = calls.map((one) => part({ tool_calls: [one] }))
    const { outcome } = await streamOf(...events, part({}, 'tool_calls'), END)
    expect(outcome).toMatchObject({
      tool_calls: [{ function: { arguments: '{"n":1}' } }, { function: { arguments: '{"n":2}' } }],
    })
  })

  test.each([
    ['an empty text', ''],
    ['the word null', 'null'],
    ['white space', ' \n'],
    ['null', null],
    ['nothing', undefined],
  ])('arguments that are %s are an empty object', async (_, given) => {
    const tool_calls = [{ index: 0, id: 'a', type: 'function', function: { name: 'now', arguments: given } }]
    const expected = [{ id: 'a', type: 'function', function: { name: 'now', arguments: '{}' } }]
    expect(await askFor({ content: null, tool_calls }, 'tool_calls')).toMatchObject({ tool_calls: expected })
    const { outcome } = await streamOf(part({ tool_calls }), part({}, 'tool_calls'), END)
    expect(outcome).toMatchObject({ tool_calls: expected })
  })

  test('a call that names no tool is no answer', async () => {
    const tool_calls = [{ index: 0, id: 'a', type: 'function', function: { arguments: '{}' } }]
    const expected = {
      error: 'api_response_structure_error',
      details: expect.stringContaining('without its name'),
    }
    expect(await askFor({ content: null, tool_calls }, 'tool_calls')).toMatchObject(expected)
    const { outcome } = await streamOf(part({ tool_calls }), part({}, 'tool_calls'), END)
    expect(outcome).toMatchObject(expected)
  })

  test('a call whose arguments the limit cut says so', async () => {
    const tool_calls = [{ index: 0, id: 'a', function: { name: 'look', arguments: '{"city":"Be' } }]
    expect(await askFor({ content: null, tool_calls }, 'length')).toMatchObject({ finish_reason: 'length' })
    const { outcome } = await streamOf(part({ tool_calls }), part({}, 'length'), END)
    expect(outcome).toMatchObject({ finish_reason: 'length' })
  })

  test.each([
    ['an empty text', ''],
    ['false', false],
    ['an object without fields', {}],
    ['a list of such objects', [{}, { id: null, type: null, function: { name: null, arguments: null } }]],
  ])('%s in place of calls is none', async (_, tool_calls) => {
    const expected = { completion: 'Hello', finish_reason: 'stop' }
    expect(await askFor({ content: 'Hello', tool_calls })).toMatchObject(expected)
    const { outcome } = await streamOf(
      part({ content: 'Hello', tool_calls }),
      part({ tool_calls }, 'stop'),
      END,
    )
    expect(outcome).toMatchObject(expected)
    expect(outcome).not.toHaveProperty('tool_calls')
  })

  test.each([{}, { name: null, arguments: null }, { name: '', arguments: '' }])(
    'a function call of before that says nothing is none: %o',
    async (function_call) => {
      const { outcome } = await streamOf(
        part({ role: 'assistant', content: '', function_call }),
        part({ content: 'Hello', function_call }),
        part({ function_call }, 'stop'),
        END,
      )
      expect(outcome).toMatchObject({ completion: 'Hello', finish_reason: 'stop' })
    },
  )

  test.each(['parameters', 'input'])('arguments may be called %s', async (name) => {
    const tool_calls = [{ id: 'a', function: { name: 'look', [name]: { city: 'Bern' } } }]
    const expected = { tool_calls: [{ function: { name: 'look', arguments: '{"city":"Bern"}' } }] }
    expect(await askFor({ content: null, tool_calls }, 'tool_calls')).toMatchObject(expected)
  })

  test('a call whose arguments break off in a stream without a finish reason is no answer', async () => {
    const tool_calls = [{ index: 0, id: 'a', function: { name: 'look', arguments: '{"city":"Be' } }]
    const expected = { error: 'api_stream_interrupted', details: expect.stringContaining('arguments') }
    expect((await streamOf(part({ tool_calls }), END)).outcome).toMatchObject(expected)
    // The limit says why.
    const usage = sse({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 512 } })
    expect((await streamOf(part({ tool_calls }), usage, END)).outcome).toMatchObject({
      finish_reason: 'length',
      tool_calls: [{ function: { arguments: '{"city":"Be' } }],
    })
  })

  test('arguments that are a list stay one', async () => {
    const tool_calls = [{ index: 0, id: 'a', function: { name: 'look', arguments: [1, 2] } }]
    const expected = { tool_calls: [{ function: { arguments: '[1,2]' } }] }
    expect(await askFor({ content: null, tool_calls }, 'tool_calls')).toMatchObject(expected)
  })

  test('arguments that are an object keep the digits of long numbers', async () => {
    const json = '{"channel":1187654321098765433}'
    const called = { id: 'a', type: 'function', function: { name: 'look', arguments: parseJson(json) } }
    const tool_calls = [{ index: 0, ...called }]
    const expected = { tool_calls: [{ function: { name: 'look', arguments: json } }] }
    expect(await askFor({ content: null, tool_calls }, 'tool_calls')).toMatchObject(expected)
    const { outcome } = await streamOf(part({ tool_calls }), part({}, 'tool_calls'), END)
    expect(outcome).toMatchObject(expected)
  })
})
