import fc from 'fast-check'
import { brokenJson, hostileNumber, hostileText, hostileValue, mutated } from './hostile-json.ts'
import { hostileSchema } from './hostile-schemas.ts'

/** What is right, but for up to two fields of it, which are anything. */
export const wrongIn = (good: fc.Arbitrary<object>, ...fields: readonly string[]): fc.Arbitrary<object> =>
  fc
    .tuple(good, fc.array(fc.tuple(fc.constantFrom(...fields), hostileValue), { maxLength: 2 }), fc.boolean())
    .map(([right, wrong, isWrong]) => (isWrong ? { ...right, ...Object.fromEntries(wrong) } : right))

const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: hostileText }),
  fc.constant({ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }),
)
const turn = fc.record({
  role: fc.constantFrom('user', 'user', 'user', 'system', 'assistant', 'developer'),
  content: fc.oneof(
    { weight: 3, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.array(part, { maxLength: 3 }) },
  ),
})
const messages = fc.array(wrongIn(turn, 'role', 'content', 'name', 'tool_calls'), {
  minLength: 1,
  maxLength: 4,
})
const prompts = fc.record(
  { prompt: hostileText, max_tokens: fc.integer({ min: 1, max: 64 }) },
  { requiredKeys: ['prompt'] },
)
const content = fc.oneof(
  { weight: 3, arbitrary: fc.constant('Why?') },
  { weight: 3, arbitrary: hostileText },
  { weight: 1, arbitrary: prompts },
  { weight: 1, arbitrary: fc.record({ messages }) },
  { weight: 1, arbitrary: fc.oneof(messages, fc.array(hostileText, { maxLength: 3 })) },
  { weight: 1, arbitrary: hostileValue },
)

const share = fc.double({ min: 0, max: 1, noNaN: true })
const sampling = {
  max_tokens: fc.integer({ min: 1, max: 64 }),
  temperature: share,
  top_p: share,
  stop: fc.oneof(fc.constant('\n'), fc.array(hostileText, { maxLength: 3 })),
  seed: fc.oneof(fc.nat(), hostileNumber),
}
const tools = fc.constant([{ type: 'function', function: { name: 'now', parameters: {} } }])
const parameters = wrongIn(
  fc.record({ ...sampling, tools }, { requiredKeys: [] }),
  ...Object.keys(sampling),
  ...['tools', 'tool_choice', 'grammar', 'n', 'genkey', 'memory', '__proto__'],
)

const time = fc.constantFrom(
  '2020-01-01T00:00:00Z',
  '2099-01-01T00:00:00Z',
  '2026-13-45T00:00:00Z',
  'now',
  '0000-01-01T00:00:00Z',
)

const optional = {
  id: hostileText.map((text) => text.slice(0, 256) || 'evt_1'),
  model: fc.constantFrom('default', 'default', 'nobody'),
  backend: fc.constantFrom('kobold', 'kobold', 'nobody'),
  parameters,
  schema: hostileSchema,
  timeout_ms: fc.constantFrom(1, 5_000, 60_000),
  priority: fc.integer({ min: -100, max: 100 }),
  metadata: fc.dictionary(hostileText, hostileValue, { maxKeys: 3 }),
  context_policy: fc.constantFrom('refuse', 'drop_oldest', 'off'),
}
const dates = { not_before: time, expires_at: time }
const callback = {
  callback_url: fc.constantFrom('http://127.0.0.1:1/', 'file:///etc/passwd', 'http://example.com'),
}

/** A few of the fields, so that one that is refused does not hide the others. */
const fewOf = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>, most: number): fc.Arbitrary<object> =>
  fc
    .subarray(Object.entries(fields), { maxLength: most })
    .chain((chosen) => fc.record(Object.fromEntries(chosen)))

/** An event: right, or with any value in any field. */
const hostileEvent: fc.Arbitrary<object> = wrongIn(
  fc
    .tuple(
      fc.record({ content }),
      fewOf(optional, 4),
      fewOf({ ...dates, ...callback, none: fc.constant(0) }, 1),
    )
    .map((parts) => Object.assign({}, ...parts)),
  ...['content', ...Object.keys({ ...optional, ...dates, ...callback }), '__proto__', 'constructor'],
)

const jsonSchema = fc.record({ name: fc.constant('answer'), schema: hostileSchema })
const responseFormat = fc.oneof(
  fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
  fc.record({ type: fc.constant('json_schema'), json_schema: jsonSchema }),
)
const openAiOptions = {
  ...sampling,
  tools,
  stream: fc.boolean(),
  stream_options: fc.constant({ include_usage: true }),
  response_format: responseFormat,
  user: hostileText,
}
const asked = fc.oneof(
  fc.record({ messages }),
  fc.record({ prompt: hostileText }),
  fc.record({ messages, prompt: hostileText }),
)

/** A request in OpenAI's dialect: right, or with any value in any field. */
export const hostileCompletion: fc.Arbitrary<string> = wrongIn(
  fc
    .tuple(fc.constant({ model: 'default' }), asked, fewOf(openAiOptions, 4))
    .map((parts) => Object.assign({}, ...parts)),
  ...[
    'model',
    'messages',
    'prompt',
    ...Object.keys(openAiOptions),
    'n',
    'logprobs',
    'tool_choice',
    'functions',
    'echo',
  ],
).map((value) => JSON.stringify(value))

const source = fc.constantFrom(
  { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' },
  { type: 'url', url: 'http://evil.example/x.png' },
)
const toolUse = {
  type: fc.constant('tool_use'),
  id: fc.constant('toolu_1'),
  name: fc.constant('now'),
  input: fc.dictionary(hostileText, hostileValue, { maxKeys: 2 }),
}
const block = fc.oneof(
  fc.record({ type: fc.constant('text'), text: hostileText }),
  fc.record({ type: fc.constantFrom('image', 'document'), source }),
  fc.record(toolUse),
  fc.record({ type: fc.constant('tool_result'), tool_use_id: fc.constant('toolu_1'), content: hostileText }),
  fc.constantFrom({ type: 'thinking', thinking: 'Hm', signature: '' }, { type: 'server_tool_use' }),
)
const blocks = fc.oneof(
  hostileText,
  fc.array(wrongIn(block, 'type', 'text', 'source', 'content'), { maxLength: 3 }),
)
const message = fc.record({ role: fc.constantFrom('user', 'user', 'assistant', 'system'), content: blocks })
const messageOptions = {
  ...{ max_tokens: sampling.max_tokens, temperature: share, stop_sequences: sampling.stop },
  system: blocks,
  stream: fc.boolean(),
  tools: fc.constant([{ name: 'now', input_schema: { type: 'object' } }, { type: 'web_search_20250305' }]),
  tool_choice: fc.constantFrom({ type: 'auto' }, { type: 'any' }, { type: 'tool', name: 'now' }),
  thinking: fc.constantFrom({ type: 'adaptive' }, { type: 'disabled' }),
  output_config: fc.record({
    effort: fc.constantFrom('low', 'max'),
    format: fc.record({ type: fc.constant('json_schema'), schema: hostileSchema }),
  }),
  metadata: fc.record({ user_id: hostileText }),
}

/** A request in Anthropic's dialect: right, or with any value in any field. */
export const hostileMessages: fc.Arbitrary<string> = wrongIn(
  fc
    .tuple(
      fc.record({ messages: fc.array(wrongIn(message, 'role', 'content'), { minLength: 1, maxLength: 4 }) }),
      fewOf(messageOptions, 4),
    )
    .map((parts) => Object.assign({}, ...parts)),
  ...['model', 'messages', ...Object.keys(messageOptions), 'mcp_servers', 'output_format', '__proto__'],
).map((value) => JSON.stringify(value))

const responsePart = fc.oneof(
  fc.record({ type: fc.constantFrom('input_text', 'output_text'), text: hostileText }),
  fc.record({ type: fc.constant('refusal'), refusal: hostileText }),
  fc.constantFrom(
    { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=' },
    { type: 'input_image', file_id: 'file_1' },
    { type: 'input_file', file_id: 'file_1' },
  ),
)
const responseItem = fc.oneof(
  fc.record({
    role: fc.constantFrom('user', 'user', 'assistant', 'system', 'developer'),
    content: fc.oneof(hostileText, fc.array(responsePart, { maxLength: 3 })),
  }),
  fc.record({
    type: fc.constant('function_call'),
    call_id: fc.constant('call_1'),
    name: fc.constant('now'),
    arguments: fc.oneof(fc.constant('{}'), hostileText),
  }),
  fc.record({
    type: fc.constant('function_call_output'),
    call_id: fc.constant('call_1'),
    output: hostileText,
  }),
  fc.constantFrom({ type: 'reasoning', summary: [] }, { type: 'computer_call' }),
)
const responseFields = ['type', 'role', 'content', 'call_id', 'arguments', 'output', 'id'] as const
const textFormat = fc.oneof(
  fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
  fc.record({ type: fc.constant('json_schema'), name: fc.constant('answer'), schema: hostileSchema }),
)

/** `ids`: of tickets that there are; their responses are what a request can go on with. */
const responseOptions = (ids: fc.Arbitrary<string>) => ({
  ...{ max_output_tokens: sampling.max_tokens, temperature: share, top_p: share },
  instructions: hostileText,
  stream: fc.boolean(),
  background: fc.boolean(),
  store: fc.boolean(),
  previous_response_id: ids.map((id) => id.replace(/^tkt_/, 'resp_')),
  tools: fc.constant([{ type: 'function', name: 'now', parameters: {} }, { type: 'web_search' }]),
  tool_choice: fc.constantFrom('auto', 'none', { type: 'function', name: 'now' }, { type: 'allowed_tools' }),
  text: fc.record({ format: textFormat }),
  reasoning: fc.constantFrom({ effort: 'low' }, { summary: 'auto' }),
  truncation: fc.constantFrom('auto', 'disabled'),
  metadata: fc.dictionary(hostileText, hostileValue, { maxKeys: 3 }),
})

/** A request of OpenAI's Responses: right, or with any value in any field. */
export function hostileResponse(ids: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const reference = ids.map((id) => ({ type: 'item_reference', id: id.replace(/^tkt_/, 'msg_') }))
  const item = wrongIn(fc.oneof({ weight: 5, arbitrary: responseItem }, reference), ...responseFields)
  const input = fc.oneof(hostileText, fc.array(item, { minLength: 1, maxLength: 4 }))
  const options = responseOptions(ids)
  return wrongIn(
    fc.tuple(fc.record({ input }), fewOf(options, 4)).map((parts) => Object.assign({}, ...parts)),
    ...['model', 'input', ...Object.keys(options), 'conversation', 'prompt', 'include', '__proto__'],
  ).map((value) => JSON.stringify(value))
}

const cloudEvent = wrongIn(
  fc.record(
    {
      specversion: fc.constant('1.0'),
      id: hostileText,
      source: fc.constantFrom('/mail', 'urn:x'),
      type: fc.constant('com.example.mail'),
      time,
      data: fc.oneof(hostileEvent, hostileText),
    },
    { requiredKeys: ['specversion', 'id', 'source', 'type', 'data'] },
  ),
  ...[
    'specversion',
    'id',
    'source',
    'type',
    'datacontenttype',
    'data',
    'data_base64',
    'subject',
    'extension1',
    'time',
  ],
)

export const hostileCloudEvents: fc.Arbitrary<string> = fc
  .oneof(cloudEvent, fc.array(cloudEvent, { maxLength: 3 }))
  .map((value) => JSON.stringify(value))

export const hostileEventText = hostileEvent.map((value) => JSON.stringify(value))

/** Bodies of requests: events, nearly events, and anything. */
export const hostileBody: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: hostileEventText },
  { weight: 1, arbitrary: hostileValue.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: mutated(hostileEventText) },
  { weight: 1, arbitrary: brokenJson },
)
