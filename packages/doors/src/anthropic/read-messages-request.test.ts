import { RequestProblem } from '@ai-ticket/http-server'
import { expect, test } from 'vitest'
import { readMessagesRequest } from './read-messages-request.ts'

const HELLO = { model: 'tiny', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }
const IMAGE = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBO' } }
const SEEN = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBO' } }
const text = (words: string) => ({ type: 'text', text: words })

const turnsOf = (body: object) =>
  (readMessagesRequest({ ...HELLO, ...body }).event.content as { messages: unknown[] }).messages
const parametersOf = (body: object) => readMessagesRequest({ ...HELLO, ...body }).event.parameters
const turnsAfter = (...content: unknown[]) => turnsOf({ messages: [{ role: 'user', content }] })

function refusalOf(body: unknown): string {
  try {
    readMessagesRequest(body)
  } catch (error) {
    if (error instanceof RequestProblem && error.failure.code === 'invalid_input_format') return error.message
    throw error
  }
  throw new Error('It was not refused.')
}

test('a request becomes an event', () => {
  const sampling = { max_tokens: 100, temperature: 0.2, top_p: 0.9, top_k: 40 }
  const body = { ...HELLO, ...sampling, stop_sequences: ['END'], metadata: { user_id: 'u1' }, stream: true }
  expect(readMessagesRequest(body)).toEqual({
    event: {
      content: { messages: HELLO.messages },
      model: 'tiny',
      metadata: { user_id: 'u1' },
      parameters: { ...sampling, stop: ['END'] },
    },
    model: 'tiny',
    stream: true,
    showsThinking: true,
  })
})

test('what is unset, empty or unknown asks for nothing', () => {
  const nothing = {
    model: '',
    temperature: null,
    stop_sequences: null,
    tools: [],
    thinking: null,
    system: '',
  }
  const unknown = { context_management: { edits: [] }, service_tier: 'auto', mcp_servers: [] }
  expect(readMessagesRequest({ ...HELLO, ...nothing, ...unknown })).toEqual({
    event: { content: { messages: HELLO.messages }, parameters: { max_tokens: 100 } },
    model: undefined,
    stream: false,
    showsThinking: true,
  })
})

test('the system prompt is the first turn, without the note for the bill', () => {
  const billing = text('x-anthropic-billing-header: cc_version=2.1.332; cch=1f2e3;')
  expect(turnsOf({ system: 'Be kind.' })[0]).toEqual({ role: 'system', content: 'Be kind.' })
  expect(turnsOf({ system: [billing, text('Be kind.'), text('Be brief.')] })).toEqual([
    { role: 'system', content: 'Be kind.\n\nBe brief.' },
    ...HELLO.messages,
  ])
})

test('a system message in the middle stands before the text of the user that it follows, or of the next', () => {
  const system = { role: 'system', content: 'It is late.' }
  const answer = { role: 'assistant', content: 'Yes?' }
  const [hello] = HELLO.messages
  const joined = { role: 'user', content: 'It is late.\nHello' }
  expect(turnsOf({ messages: [hello, system] })).toEqual([joined])
  expect(turnsOf({ messages: [hello, system, answer, hello] })).toEqual([joined, answer, hello])
  expect(turnsOf({ messages: [hello, answer, system, hello] })).toEqual([hello, answer, joined])
  const note = { role: 'user', content: 'It is late.' }
  expect(turnsOf({ messages: [hello, answer, system] })).toEqual([hello, answer, note])
  expect(turnsOf({ messages: [hello, answer, system, answer] })).toEqual([hello, answer, note, answer])
  expect(turnsOf({ system: 'Be kind.', messages: [system, hello] })).toEqual([
    { role: 'system', content: 'Be kind.\n\nIt is late.' },
    hello,
  ])
})

test('a system message behind the result of a tool is a turn of the user', () => {
  const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: '1', content: 'Sun' }] }
  const system = { role: 'system', content: [text('It is late.')] }
  expect(turnsOf({ messages: [result, system] })).toEqual([
    { role: 'tool', tool_call_id: '1', content: 'Sun' },
    { role: 'user', content: 'It is late.' },
  ])
})

test('text is joined; images stay parts', () => {
  expect(turnsAfter(text('One'), text('two'))).toEqual([{ role: 'user', content: 'One\ntwo' }])
  expect(turnsAfter(text('What is it?'), IMAGE)).toEqual([
    { role: 'user', content: [text('What is it?'), SEEN] },
  ])
})

test('an image as a data: URL needs no address to be fetched; the summary of earlier turns is text', () => {
  const source = { type: 'url', url: 'data:image/png;base64,iVBO' }
  expect(turnsAfter({ type: 'image', source })).toEqual([{ role: 'user', content: [SEEN] }])
  expect(turnsAfter({ type: 'compaction', content: 'So far: hello.' }, text('Go on'))).toEqual([
    { role: 'user', content: 'So far: hello.\nGo on' },
  ])
})

test('a tool turn: the call in OpenAI’s shape, its result before the text of its message', () => {
  const call = { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Graz' } }
  const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [text('Sunny'), IMAGE] }
  const messages = [
    {
      role: 'assistant',
      content: [{ type: 'thinking', thinking: 'Hm', signature: '' }, text('Wait.'), call],
    },
    { role: 'user', content: [text('And?'), result] },
    { role: 'assistant', content: [call] },
    { role: 'user', content: [{ ...result, content: 'No network', is_error: true }] },
  ]
  const calls = [
    { id: 'toolu_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Graz"}' } },
  ]
  expect(turnsOf({ messages })).toEqual([
    { role: 'assistant', content: 'Wait.', tool_calls: calls },
    { role: 'tool', tool_call_id: 'toolu_1', content: 'Sunny' },
    { role: 'user', content: [SEEN, text('And?')] },
    { role: 'assistant', content: null, tool_calls: calls },
    { role: 'tool', tool_call_id: 'toolu_1', content: 'Error: No network' },
  ])
})

test('a result that is only an image says so; one without content is empty', () => {
  const result = { type: 'tool_result', tool_use_id: 'toolu_1' }
  expect(turnsAfter({ ...result, content: [IMAGE] })).toEqual([
    { role: 'tool', tool_call_id: 'toolu_1', content: 'The result is the image that follows.' },
    { role: 'user', content: [SEEN] },
  ])
  expect(turnsAfter(result)).toEqual([{ role: 'tool', tool_call_id: 'toolu_1', content: '' }])
})

test('documents that are text are text, with their title; search results, too', () => {
  const document = {
    type: 'document',
    title: 'Notes',
    source: { type: 'text', media_type: 'text/plain', data: 'A' },
  }
  expect(turnsAfter(document)).toEqual([{ role: 'user', content: 'Notes\nA' }])
  expect(turnsAfter({ ...document, source: { type: 'content', content: [text('B')] } })).toEqual([
    { role: 'user', content: 'Notes\nB' },
  ])
  const found = { type: 'search_result', title: 'T', source: 'https://a.example', content: [text('C')] }
  expect(turnsAfter(found)).toEqual([{ role: 'user', content: 'T\nhttps://a.example\nC' }])
})

test('what ran at Anthropic is left out', () => {
  const theirs = [
    { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} },
    { type: 'web_search_tool_result', tool_use_id: 's1', content: [] },
    { type: 'redacted_thinking', data: 'x' },
  ]
  expect(turnsAfter(...theirs, text('Hi'))).toEqual([{ role: 'user', content: 'Hi' }])
})

test('tools in OpenAI’s shape; those that run at Anthropic are left out', () => {
  const input_schema = { type: 'object', properties: { city: { type: 'string' } } }
  const weather = { name: 'weather', description: 'Now', input_schema, cache_control: { type: 'ephemeral' } }
  const search = { type: 'web_search_20250305', name: 'web_search' }
  const made = {
    type: 'function',
    function: { name: 'weather', description: 'Now', parameters: input_schema },
  }
  expect(parametersOf({ tools: [{ ...weather, defer_loading: true, type: 'custom' }, search] })).toEqual({
    max_tokens: 100,
    tools: [made],
  })
  expect(parametersOf({ tools: [search], tool_choice: { type: 'any' } })).toEqual({ max_tokens: 100 })
})

test.each([
  [{ type: 'auto' }, { tool_choice: 'auto' }],
  [{ type: 'none' }, { tool_choice: 'none' }],
  [
    { type: 'any', disable_parallel_tool_use: true },
    { tool_choice: 'required', parallel_tool_calls: false },
  ],
  [{ type: 'tool', name: 'now' }, { tool_choice: { type: 'function', function: { name: 'now' } } }],
])('the choice %j', (tool_choice, expected) => {
  expect(parametersOf({ tools: [{ name: 'now', input_schema: {} }], tool_choice })).toMatchObject(expected)
})

test('a schema, by its new and its older name', () => {
  const schema = { type: 'object' }
  const format = { type: 'json_schema', schema }
  expect(readMessagesRequest({ ...HELLO, output_config: { format } }).event.schema).toBe(schema)
  expect(readMessagesRequest({ ...HELLO, output_format: format }).event.schema).toBe(schema)
})

test('effort is what local models know of it', () => {
  expect(parametersOf({ output_config: { effort: 'max' } })).toMatchObject({ reasoning_effort: 'high' })
  expect(parametersOf({ output_config: { effort: 'low' } })).toMatchObject({ reasoning_effort: 'low' })
  expect(parametersOf({ output_config: { effort: 'other' } })).not.toHaveProperty('reasoning_effort')
})

test.each([
  [{ type: 'disabled' }, false],
  [{ type: 'adaptive', display: 'omitted' }, false],
  [{ type: 'adaptive' }, true],
  [{ type: 'enabled', budget_tokens: 2_000 }, true],
])('thinking %j is shown: %s', (thinking, showsThinking) => {
  expect(readMessagesRequest({ ...HELLO, thinking })).toMatchObject({ showsThinking })
})

const inUser = (...content: unknown[]) => ({ messages: [{ role: 'user', content }] })
const document = (source: object) => inUser({ type: 'document', source })

test.each<[object, string]>([
  [{ messages: [] }, 'messages'],
  [{ messages: 'Hi' }, 'messages'],
  [{ messages: ['Hi'] }, 'messages[0]'],
  [{ messages: [{ role: 'tool', content: 'Hi' }] }, 'messages[0].role'],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
  [inUser('Hi'), 'messages[0].content[0]'],
  [inUser({ type: 'text' }), 'messages[0].content[0].text'],
  [inUser({ type: 'image_url' }), 'messages[0].content[0].type'],
  [inUser({ type: 'image', source: { type: 'url', url: 'x' } }), 'messages[0].content[0].source.type'],
  [inUser({ type: 'image', source: { type: 'file', file_id: 'x' } }), 'messages[0].content[0].source.type'],
  [inUser({ type: 'image', source: null }), 'messages[0].content[0].source'],
  [
    inUser({ type: 'image', source: { type: 'base64', media_type: 'text/html', data: 'x' } }),
    'messages[0].content[0].source.media_type',
  ],
  [document({ type: 'base64', media_type: 'application/pdf' }), 'messages[0].content[0].source.type'],
  [inUser({ type: 'tool_use', name: 'now', input: {} }), 'messages[0].content[0].id'],
  [inUser({ type: 'tool_use', id: '1', name: 'now', input: '{}' }), 'messages[0].content[0].input'],
  [inUser({ type: 'tool_result', content: 'x' }), 'messages[0].content[0].tool_use_id'],
  [
    inUser({ type: 'tool_result', tool_use_id: '1', content: [{ type: 'video' }] }),
    'messages[0].content[0].content[0].type',
  ],
  [{ system: 7 }, 'system'],
  [{ model: 7 }, 'model'],
  [{ stream: 'yes' }, 'stream'],
  [{ stop_sequences: 'END' }, 'stop_sequences'],
  [{ stop_sequences: ['END', ''] }, 'stop_sequences[1]'],
  [{ tools: {} }, 'tools'],
  [{ tools: [{ name: 'now' }] }, 'tools[0].input_schema'],
  [{ tools: [{ input_schema: {} }] }, 'tools[0].name'],
  [{ tools: [{ name: 'now', input_schema: {} }], tool_choice: 'auto' }, 'tool_choice'],
  [{ tools: [{ name: 'now', input_schema: {} }], tool_choice: { type: 'must' } }, 'tool_choice.type'],
  [
    { tools: [{ name: 'now', input_schema: {} }], tool_choice: { type: 'tool', name: 'x' } },
    'tool_choice.name',
  ],
  [{ output_config: { format: { type: 'json_object' } } }, 'output_config.format.type'],
  [{ output_format: { type: 'json_schema' } }, 'output_format.schema'],
  [{ mcp_servers: [{ type: 'url' }] }, 'mcp_servers'],
])('%j is refused, naming %s', (body, path) => {
  expect(refusalOf({ ...HELLO, ...body })).toMatch(
    new RegExp(`^\`${path.replace(/[.[\]]/g, '\\$&')}\` .+\\.$`),
  )
})

test.each([[[]], ['Hi'], [null]])('%j is no request', (body) => {
  expect(refusalOf(body)).toBe('`body` must be a JSON object.')
})
