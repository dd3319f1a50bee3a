import { createKoboldBackend } from '@ai-ticket/core'
import { createVirtualClock, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { ask, failureOf, replayed, requestOf, startRawServer, system, user } from './ask-kobold.ts'
import { deskOn } from './desk-on.ts'

// Facts 32 to 49: limits, text, streams, start and stop, passwords. See kobold-facts.test.ts.

const never = new AbortController().signal
const fast = { tokensPerSecond: Number.POSITIVE_INFINITY }
const kinds = ['chat', 'text', 'native'] as const

/** The bodies of one call of each endpoint. */
async function bodies(asked: Parameters<typeof ask>[1]) {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  for (const endpoint of kinds) await ask(backend, { ...asked, endpoint })
  const [chat, text, native] = simulator.calls.map(({ body }) => body as Record<string, unknown>)
  return { chat, text, native }
}

const head = 'HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n'
const json = 'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n'

test('fact 32: the length is always sent, under the name each endpoint knows', async () => {
  const { chat, text, native } = await bodies({ parameters: { max_tokens: 37 } })
  expect([chat?.max_tokens, text?.max_tokens, native?.max_length]).toEqual([37, 37, 37])
})

test('fact 32: tokens are counted as the model will see them, against the true context length', async () => {
  await using desk = await replayed('1.115.1', [
    'new-tokenize-messages',
    'get-true-max-context-length',
    'tokencount',
  ])
  expect((await desk.backend.probe(never)).contextLength).toBe(512)
  expect(await desk.backend.countTokens?.(requestOf({}), never)).toBe(5)
})

test('fact 32: an old version counts no messages, so it is given the text with the tags', async () => {
  await using simulator = await startKoboldSimulator({ version: '1.76' })
  const backend = createKoboldBackend({ url: simulator.url })
  const short = await backend.countTokens?.(requestOf({ turns: [user('hi')] }), never)
  const long = await backend.countTokens?.(
    requestOf({ turns: [system('word '.repeat(50)), user('hi')] }),
    never,
  )
  expect((long ?? 0) - (short ?? 0)).toBeGreaterThan(50)
})

test('fact 33: an empty text that no token made is a failure', async () => {
  await using desk = await replayed('1.115.1', 'generate-max-length-0')
  expect(await failureOf(desk.backend, { endpoint: 'native' })).toMatchObject({ kind: 'no_model' })
})

test.each([
  ['stop', undefined, 24, 'stop'],
  ['length', 24, 24, 'length'],
  ['length', 23, 24, 'stop'],
  ['tool_calls', 5, 24, 'stop'],
] as const)('fact 34: raw reason %s with %s tokens of %s', async (raw, tokens, max_tokens, expected) => {
  const usage = tokens === undefined ? '' : `"usage": {"prompt_tokens": 5, "completion_tokens": ${tokens}},`
  const reply = `{${usage} "choices": [{"message": {"content": "some text"}, "finish_reason": "${raw}"}]}`
  await using server = await startRawServer((socket) => socket.end(json + reply))
  const backend = createKoboldBackend({ url: server.url })
  const { end } = await ask(backend, { parameters: { max_tokens } })
  expect(end).toMatchObject({ finish_reason: expected, raw_finish_reason: raw })
  await backend.close()
})

test('fact 23: the times of somebody else are not ours, and no server is asked for them alone', async () => {
  const times = async (perf: object, reason = 'length') => {
    const reply = `{"usage": {"prompt_tokens": 5, "completion_tokens": 7}, "choices": [{"message": {"content": "some text"}, "finish_reason": "${reason}"}]}`
    let asked = 0
    await using server = await startRawServer((socket, request) => {
      if (request.includes('/api/extra/perf')) asked += 1
      socket.end(json + (request.includes('/api/extra/perf') ? JSON.stringify(perf) : reply))
    })
    const backend = createKoboldBackend({ url: server.url })
    const { end } = await ask(backend, { parameters: { max_tokens: 24 } })
    await backend.close()
    return { times: end?.times, asked }
  }
  const own = {
    idle: 1,
    queue: 0,
    stop_reason: 2,
    last_token_count: 7,
    last_process: 10_000,
    last_eval: 0.001,
  }
  expect(await times(own)).toEqual({
    times: { promptMs: expect.any(Number), completionMs: 0.007 },
    asked: 1,
  })
  expect(await times({ ...own, last_token_count: 8 })).toEqual({ times: undefined, asked: 1 })
  expect(await times({ ...own, queue: 1 })).toEqual({ times: undefined, asked: 1 })
  // It says that it wrote for longer than the call took.
  expect(await times({ ...own, last_eval: 100_000 })).toEqual({ times: undefined, asked: 1 })
  expect(await times(own, 'stop')).toEqual({ times: undefined, asked: 0 })
})

test.each([
  ['native', undefined, 'a text of more than 24 bytes', 'length'],
  ['native', undefined, 'too short', 'stop'],
  ['native', ['END'], 'a text of more than 24 bytes', 'stop'],
] as const)('fact 34: without a count %s with stops %j and %j', async (endpoint, stop, text, expected) => {
  const reply = `{"results": [{"text": "${text}", "finish_reason": "length"}]}`
  await using server = await startRawServer((socket) => socket.end(json + reply))
  const backend = createKoboldBackend({ url: server.url })
  const { end } = await ask(backend, {
    endpoint,
    parameters: { max_tokens: 24, ...(stop && { stop: [...stop] }) },
  })
  expect(end.finish_reason).toBe(expected)
  await backend.close()
})

test('fact 35: stop strings are a list everywhere, and are trimmed where that must be asked for', async () => {
  const { chat, text, native } = await bodies({ parameters: { stop: ['END'] } })
  expect(chat?.stop).toEqual(['END'])
  expect(text).toMatchObject({ stop: ['END'], trim_stop: true })
  expect(native).toMatchObject({ stop_sequence: ['END'], trim_stop: true })
})

test('fact 35: a transcript stops where the next user turn would begin', async () => {
  const { chat, text, native } = await bodies({ turns: [system('Be brief.'), user('hi')] })
  expect(chat).not.toHaveProperty('stop')
  expect(text?.stop).toEqual(['\n### Instruction:'])
  expect(native?.stop_sequence).toEqual(['\n### Instruction:'])
  expect(text?.prompt).toBe('\n### Instruction:\nBe brief.\n### Instruction:\nhi\n### Response:\n')
})

test.each(['1.76', '1.115.1'] as const)(
  'fact 35: a text that begins with a stop string is an answer without a word, not a server without a model [%s]',
  async (version) => {
    const simulator = await startKoboldSimulator({ ...fast, version, answer: () => 'Once upon a time' })
    await using desk = deskOn(simulator, createKoboldBackend({ url: simulator.url }))
    const outcome = await desk.dispatcher.onEvent({ content: 'Go on.', parameters: { stop: 'Once' } })
    expect(outcome).toMatchObject({ completion: '', finish_reason: 'stop' })
    expect(simulator.calls).toHaveLength(1)
  },
)

test('fact 36: a grammar goes to every endpoint', async () => {
  const grammar = 'root ::= "yes" | "no"'
  const { chat, text, native } = await bodies({ parameters: { grammar } })
  expect([chat?.grammar, text?.grammar, native?.grammar]).toEqual([grammar, grammar, grammar])
})

test.each([
  [-1, 0],
  [0, 0],
  [40, 40],
])('a top_k of %s goes to every endpoint as %s, whose 0 is off', async (top_k, sent) => {
  const { chat, text, native } = await bodies({ parameters: { top_k } })
  expect([chat?.top_k, text?.top_k, native?.top_k]).toEqual([sent, sent, sent])
})

test('fact 37: a schema goes to the chat endpoint alone, the only one that obeys it', async () => {
  const schema = { type: 'object', properties: { label: { type: 'string' } } }
  const { chat, text, native } = await bodies({ schema })
  expect(chat?.response_format).toEqual({ type: 'json_schema', json_schema: { name: 'answer', schema } })
  expect([text, native].some((body) => body && 'response_format' in body)).toBe(false)
})

test('fact 37: json_object would force an array, so a grammar for an object is sent instead', async () => {
  const { chat, text, native } = await bodies({ parameters: { response_format: { type: 'json_object' } } })
  for (const body of [chat, text, native]) {
    expect(body).not.toHaveProperty('response_format')
    expect(body?.grammar).toMatch(/^root ::= object\n/)
  }
})

test('fact 38: 100, 100, 200 under a constant id is no usage; real numbers are', async () => {
  await using old = await replayed('1.76', 'chat-normal')
  expect((await ask(old.backend)).end).not.toHaveProperty('usage')
  await using now = await replayed('1.115.1', 'chat-normal')
  expect((await ask(now.backend)).end.usage).toEqual({ prompt_tokens: 64, completion_tokens: 24 })
  await using native = await replayed('1.115.1', 'generate-normal')
  expect((await ask(native.backend, { endpoint: 'native' })).end.usage).toEqual({
    prompt_tokens: 5,
    completion_tokens: 24,
  })
})

const call = { id: 'call_1', type: 'function', function: { name: 'set_label', arguments: '{"label":"bug"}' } }
const tools = [{ type: 'function', function: { name: 'set_label', parameters: { type: 'object' } } }]

test.each([false, true])('fact 39: content is null beside calls of tools (stream %s)', async (stream) => {
  const answer = () => ({ text: '', toolCalls: [call] })
  await using simulator = await startKoboldSimulator({ ...fast, answer })
  const backend = createKoboldBackend({ url: simulator.url })
  const { end } = await ask(backend, { stream, parameters: { tools } })
  expect(end).toMatchObject({ finish_reason: 'tool_calls', tool_calls: [call] })
  expect(simulator.calls[0]?.body).toMatchObject({ tools })
})

test('fact 39: calls that come in parts are put together', async () => {
  const part = (tool: object) =>
    `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: [tool] }, finish_reason: null }] })}\n\n`
  const body =
    part({ index: 0, id: 'call_7', function: { name: 'set_label', arguments: '{"la' } }) +
    part({ index: 0, function: { arguments: 'bel":"bug"}' } }) +
    'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}\n\ndata: [DONE]\n\n'
  await using server = await startRawServer((socket) => socket.end(head + body))
  const backend = createKoboldBackend({ url: server.url })
  const { end } = await ask(backend, { stream: true, parameters: { tools } })
  expect(end.tool_calls).toEqual([{ ...call, id: 'call_7' }])
  await backend.close()
})

test('fact 39: tools are not sent to an endpoint that has no place for them', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  const error = await failureOf(backend, { endpoint: 'native', parameters: { tools } })
  expect(error).toMatchObject({ kind: 'invalid_request' })
  expect(backend.endpoints.map(({ name, tools, images }) => [name, tools, images])).toEqual([
    ['chat', true, true],
    ['text', false, false],
    ['native', false, false],
  ])
})

test('fact 40: streams have their own path or flag', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  for (const endpoint of kinds) await ask(backend, { endpoint, stream: true })
  expect(simulator.calls.map(({ path, stream }) => [path, stream])).toEqual([
    ['/v1/chat/completions', true],
    ['/v1/completions', true],
    ['/api/extra/generate/stream', true],
  ])
})

test('fact 41: the string "null" is not a finish reason', async () => {
  const body =
    'event: message\ndata: {"token": "one", "finish_reason": "null"}\n\n' +
    'event: message\ndata: {"token": " two", "finish_reason": "stop"}\n\n'
  await using server = await startRawServer((socket) => socket.end(head + body))
  const backend = createKoboldBackend({ url: server.url })
  const { end, deltas } = await ask(backend, { endpoint: 'native', stream: true })
  expect(deltas).toEqual(['one', ' two'])
  expect(end).toMatchObject({ text: 'one two', raw_finish_reason: 'stop' })
  await backend.close()
})

test('fact 42: [DONE] without a line end ends the stream at once, though the connection stays open', async () => {
  const body = 'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]'
  await using server = await startRawServer((socket) => socket.write(head + body))
  // On a clock that stands still, no timer can end it.
  const backend = createKoboldBackend({ url: server.url, clock: createVirtualClock() })
  expect((await ask(backend, { stream: true })).end.text).toBe('hi')
  await backend.close()
})

test('fact 42: usage is asked for and comes in a chunk without choices', async () => {
  await using desk = await replayed('1.115.1', 'chat-stream-include-usage')
  const { end } = await ask(desk.backend, { stream: true })
  expect(end.usage).toEqual({ prompt_tokens: 64, completion_tokens: 24 })
  expect(desk.server.requests[0]?.body).toMatchObject({ stream_options: { include_usage: true } })
})

test('fact 43: whole answers use plain calls, streaming callers use streams', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  expect((await ask(backend)).deltas).toEqual([])
  expect((await ask(backend, { stream: true })).deltas.length).toBeGreaterThan(0)
  expect(simulator.calls.map(({ stream }) => stream)).toEqual([false, true])
})

test('fact 44: the reads of a stream may cut it anywhere, inside a letter too', async () => {
  const text = 'Zoë — “é😀”'
  const body =
    `event: message\r\ndata: {"token": "${text}", "finish_reason": null}\r\n\r\n: a comment\r\n\r\n` +
    'event: message\r\ndata: {"token": "", "finish_reason": "stop"}\r\n\r\n'
  await using server = await startRawServer(async (socket) => {
    socket.setNoDelay(true)
    socket.write(head)
    for (const byte of Buffer.from(body)) {
      socket.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    socket.end()
  })
  const backend = createKoboldBackend({ url: server.url })
  const { end, deltas } = await ask(backend, { endpoint: 'native', stream: true })
  expect(deltas).toEqual([text])
  expect(end.text).toBe(text)
  await backend.close()
})

test('fact 45: the role in every delta is no text', async () => {
  await using desk = await replayed('1.115.1', 'chat-stream-slow-model')
  const { deltas, end } = await ask(desk.backend, { stream: true })
  expect(deltas.length).toBeGreaterThan(3)
  expect(end.text).not.toContain('assistant')
})

test('fact 46: a stream that ends cleanly without a finish reason is a cut one', async () => {
  await using desk = await replayed('1.76', 'kill-sigkill-chat-stream')
  const error = await failureOf(desk.backend, { stream: true })
  expect(error).toMatchObject({ kind: 'interrupted', stopped: 'idle' })
  expect(error.partial).toBeTruthy()
})

test('fact 46: a plain answer that is cut is no answer', async () => {
  await using simulator = await startKoboldSimulator({ faults: [{ fault: 'cut_stream' }] })
  const backend = createKoboldBackend({ url: simulator.url })
  expect(await failureOf(backend)).toMatchObject({ kind: 'disconnected', stopped: 'idle' })
})

test('fact 47: while the model loads the port is closed, so nothing was sent', async () => {
  await using simulator = await startKoboldSimulator({ faults: [{ fault: 'refuse' }] })
  const backend = createKoboldBackend({ url: simulator.url })
  expect(await failureOf(backend)).toMatchObject({ kind: 'connect', stopped: 'not_sent' })
  await expect(backend.probe(never)).rejects.toMatchObject({ kind: 'connect' })
})

test('fact 47: after a reload another model answers, and a probe tells', async () => {
  await using simulator = await startKoboldSimulator({ model: 'koboldcpp/first' })
  const backend = createKoboldBackend({ url: simulator.url })
  expect((await backend.probe(never)).models).toEqual(['koboldcpp/first'])
  await simulator.loadModel('koboldcpp/second')
  await expect
    .poll(() => backend.probe(never).catch(() => undefined))
    .toMatchObject({ models: ['koboldcpp/second'] })
})

test.each([false, true])(
  'fact 48: a server killed in the middle is dead, and known to be (stream %s)',
  async (stream) => {
    const answer = () => 'one two three four five '.repeat(100)
    await using simulator = await startKoboldSimulator({ tokensPerSecond: 100, answer })
    const backend = createKoboldBackend({ url: simulator.url })
    const failure = failureOf(backend, { stream, parameters: { max_tokens: 400 } })
    await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 3)
    await simulator.kill()
    expect(await failure).toMatchObject({ kind: stream ? 'interrupted' : 'disconnected', stopped: 'dead' })
  },
)

test('fact 49: the key is sent as Bearer to everything that is protected', async () => {
  await using simulator = await startKoboldSimulator({ ...fast, password: 's3cret' })
  const backend = createKoboldBackend({ url: simulator.url, apiKey: 's3cret' })
  expect((await ask(backend)).end.text).not.toBe('')
  expect(await backend.countTokens?.(requestOf({}), never)).toBeGreaterThan(0)
  expect(await backend.probe(never)).toMatchObject({ authorised: true, models: ['koboldcpp/simulator'] })
})

test('fact 49: a wrong key shows without a generation, and so does the real model', async () => {
  await using simulator = await startKoboldSimulator({ ...fast, password: 's3cret' })
  const backend = createKoboldBackend({ url: simulator.url, apiKey: 'wrong' })
  expect(await backend.probe(never)).toMatchObject({ authorised: false, models: ['koboldcpp/simulator'] })
  const error = await failureOf(backend)
  expect(error).toMatchObject({ kind: 'status', status: 401, reason: 'authentication' })
  expect(error.message).not.toContain('wrong key')
})
