import { expect, test } from 'vitest'
import { openResponsesServer } from './open-responses-server.ts'

// A conversation that began at another server, or with another client, goes on here.
const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const USER = { role: 'user', content: 'Hello' }

async function sent(request: Readonly<Record<string, unknown>>) {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const { status, body } = await at.post('/v1/responses', { model: 'any', ...request })
  return {
    status,
    body,
    call: at.simulator.calls.at(-1)?.body as Readonly<Record<string, unknown>> | undefined,
  }
}

const calling = (name: string, args: unknown) => ({
  role: 'assistant',
  tool_calls: [{ id: 'c1', type: 'function', function: { name, arguments: JSON.stringify(args) } }],
})
const result = (content: string) => ({ role: 'tool', tool_call_id: 'c1', content })

test.each([
  { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } },
  { type: 'file_search_call', id: 'fs_1', queries: ['x'], results: null },
  { type: 'mcp_list_tools', id: 'mcp_1', server_label: 'a', tools: [] },
  { type: 'mcp_call', id: 'mcp_2', server_label: 'a', name: 'b', arguments: '{}', output: 'c' },
  { type: 'compaction', encrypted_content: 'gAAA' },
  { type: 'additional_tools', role: 'developer', tools: [] },
  { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAA' },
])('what another service ran or kept for itself is left out: $type', async (item) => {
  const { status, call } = await sent({ input: [USER, item, { role: 'user', content: 'Go on' }] })
  expect(status).toBe(200)
  expect(call?.messages).toEqual([USER, { role: 'user', content: 'Go on' }])
})

test.each([
  [
    { type: 'custom_tool_call', call_id: 'c1', name: 'patch', input: 'a\nb' },
    calling('patch', { input: 'a\nb' }),
  ],
  [
    { type: 'local_shell_call', call_id: 'c1', action: { type: 'exec', command: ['ls'] } },
    calling('local_shell', { type: 'exec', command: ['ls'] }),
  ],
  [
    { type: 'function_call', call_id: 'c1', name: 'now', arguments: { zone: 'UTC' } },
    calling('now', { zone: 'UTC' }),
  ],
] as const)('a call of a tool that is not a function is one for the model: %j', async (item, turn) => {
  const output = { type: item.type.replace(/_call$/, '_call_output'), call_id: 'c1', output: 'done' }
  const { status, call } = await sent({ input: [USER, item, output] })
  expect(status).toBe(200)
  expect(call?.messages).toMatchObject([USER, turn, result('done')])
})

test.each([null, undefined])('a tool that gave back %s has an empty result', async (output) => {
  const called = { type: 'function_call', call_id: 'c1', name: 'now', arguments: '{}' }
  const { status, call } = await sent({
    input: [USER, called, { type: 'function_call_output', call_id: 'c1', output }],
  })
  expect(status).toBe(200)
  expect(call?.messages).toMatchObject([USER, calling('now', {}), result('')])
})

test('a turn of the model without words is none that is refused', async () => {
  const { status } = await sent({ input: [USER, { role: 'assistant', content: null }, USER] })
  expect(status).toBe(200)
})

test('tools and the choice among them may be nested, as chat completions have them', async () => {
  const tool = { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } }
  const { status, call } = await sent({
    input: 'Hello',
    tools: [tool],
    tool_choice: { type: 'function', function: { name: 'now' } },
  })
  expect(status).toBe(200)
  expect(call).toMatchObject({ tools: [tool], tool_choice: { type: 'function', function: { name: 'now' } } })
})

test('an item of a kind that nobody knows is refused, and named', async () => {
  const { status, body } = await sent({ input: [USER, { type: 'dream', text: 'x' }] })
  expect(status).toBe(400)
  expect(body).toMatchObject({ error: { message: expect.stringContaining('`input[1].type`') } })
})
