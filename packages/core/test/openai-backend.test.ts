import {
  BackendError,
  createDispatcher,
  createOpenAIBackend,
  type GenerationEvent,
  type GenerationRequest,
  type OpenAIBackendOptions,
} from '@ai-ticket/core'
import { createVirtualClock, type OpenAISimulatorOptions, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const fast: OpenAISimulatorOptions = { tokensPerSecond: Number.POSITIVE_INFINITY }

async function open(simulated: OpenAISimulatorOptions = fast, options: Partial<OpenAIBackendOptions> = {}) {
  const simulator = await startOpenAISimulator(simulated)
  const backend = createOpenAIBackend({ url: simulator.url, ...options })
  const ask = async (how: Ask = {}) => {
    const { stream = false, endpoint = 'chat', signal = new AbortController().signal, ...more } = how
    const found = backend.endpoints.find(({ name }) => name === endpoint)
    if (!found) throw new Error(`no endpoint ${endpoint}`)
    const request: GenerationRequest = {
      key: 'job-1',
      turns: [{ role: 'user', content: 'Hello' }],
      parameters: { max_tokens: 64, temperature: 0.7, top_p: 1, ...more.parameters },
      ...(more.model !== undefined && { model: more.model }),
    }
    const deltas: string[] = []
    for await (const event of backend.generate(found, request, { signal, stream })) {
      if (event.type === 'end') return { ...event, deltas }
      deltas.push(event.text)
      more.onDelta?.(event)
    }
    throw new Error('no end')
  }
  const fail = async (how: Ask = {}): Promise<BackendError> => {
    const error = await ask(how).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error instanceof BackendError) return error
    throw new Error(`no BackendError but ${error}`)
  }
  return {
    simulator,
    backend,
    ask,
    fail,
    async [Symbol.asyncDispose]() {
      await backend.close()
      await simulator.close()
    },
  }
}

interface Ask {
  stream?: boolean
  endpoint?: 'chat' | 'text'
  signal?: AbortSignal
  model?: string
  parameters?: Partial<GenerationRequest['parameters']>
  onDelta?: (event: GenerationEvent) => void
}

const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
})
const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 }

test.each([
  ['chat', false],
  ['chat', true],
  ['text', false],
  ['text', true],
] as const)('%s, stream %s: text, usage, model and finish reason', async (endpoint, stream) => {
  await using box = await open()
  const { deltas, ...end } = await box.ask({ endpoint, stream })
  expect(end).toMatchObject({
    finish_reason: 'stop',
    raw_finish_reason: 'stop',
    model: 'simulator',
    usage: { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) },
  })
  expect(end.text).toContain('simulator')
  expect(deltas.join('')).toBe(stream ? end.text : '')
  expect(await box.ask({ endpoint, stream, parameters: { max_tokens: 3 } })).toMatchObject({
    finish_reason: 'length',
    usage: { completion_tokens: 3 },
  })
})

test.each([
  ['stream_options', true],
  ['max_tokens', false],
])('a server that refuses %s is asked once more without, and never again with it', async (field, stream) => {
  await using box = await open({ ...fast, refusedFields: [field] })
  await box.ask({ stream })
  await box.ask({ stream })
  expect(box.simulator.calls.map(({ body }) => field in body)).toEqual([true, false, false])
})

test.each([
  ['vllm', 404, 'status', 'model_unknown'],
  ['ollama', 404, 'status', 'model_unknown'],
  ['hosted', 404, 'status', 'model_unknown'],
] as const)('%s: an unknown model is told from a missing endpoint', async (flavour, status, kind, reason) => {
  await using box = await open({ ...fast, flavour, models: ['a', 'b'] })
  expect(await box.fail({ model: 'c' })).toMatchObject({ status, kind, reason, stopped: 'ended' })
})

test('vLLM with one model gets its name, though the caller names none or another', async () => {
  await using box = await open({ ...fast, flavour: 'vllm', models: ['qwen'] })
  await box.ask()
  await box.ask({ model: 'gpt-4' })
  expect(box.simulator.calls.map(({ body }) => body.model)).toEqual(['qwen', 'qwen'])
  expect(box.simulator.requests.filter((request) => request === 'GET /v1/models')).toHaveLength(1)
})

test.each([
  [
    'llama.cpp loads',
    { status: 503, body: { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } } },
    { kind: 'status', reason: 'busy', status: 503 },
  ],
  [
    'llama.cpp, too long',
    {
      status: 400,
      body: {
        error: {
          code: 400,
          message: 'the request exceeds the available context size, try increasing it',
          type: 'exceed_context_size_error',
          n_prompt_tokens: 900,
          n_ctx: 512,
        },
      },
    },
    { kind: 'status', reason: 'context_length' },
  ],
  [
    'vLLM, too long, older form',
    {
      status: 400,
      body: {
        object: 'error',
        message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
    { kind: 'status', reason: 'context_length' },
  ],
  [
    'OpenAI, too long',
    {
      status: 400,
      body: {
        error: {
          message: 'Too long.',
          type: 'invalid_request_error',
          param: 'messages',
          code: 'context_length_exceeded',
        },
      },
    },
    { kind: 'status', reason: 'context_length' },
  ],
  [
    'OpenAI, rate limit',
    {
      status: 429,
      headers: { 'retry-after-ms': '250', 'retry-after': '1' },
      body: { error: { message: 'Slow down.', type: 'rate_limit_error', code: null } },
    },
    { kind: 'status', reason: 'busy', retryAfterMs: 250 },
  ],
  [
    'Retry-After in seconds',
    { status: 429, headers: { 'retry-after': '2' }, body: {} },
    { reason: 'busy', retryAfterMs: 2000 },
  ],
  [
    'a wrong key',
    {
      status: 401,
      body: { error: { message: 'Incorrect API key provided: sk-123', code: 'invalid_api_key' } },
    },
    { reason: 'authentication' },
  ],
  [
    'LM Studio without a model',
    { status: 400, body: { error: { message: 'No models loaded. Please load a model.' } } },
    { kind: 'no_model' },
  ],
  ['vLLM without the endpoint', { status: 404, body: { detail: 'Not Found' } }, { kind: 'endpoint_missing' }],
  ['Ollama without the endpoint', { status: 404, body: '404 page not found' }, { kind: 'endpoint_missing' }],
  [
    'LM Studio answers any path with 200',
    { body: { error: 'Unexpected endpoint or method. (POST /v1/chat/completions)' } },
    { kind: 'wrong_shape' },
  ],
  ['a proxy', { status: 502, body: '<html>' }, { kind: 'status', status: 502, reason: undefined }],
  ['not JSON', { body: 'Hello' }, { kind: 'not_json' }],
  ['null', { body: 'null' }, { kind: 'wrong_shape' }],
  ['no choices', { body: { choices: [] } }, { kind: 'wrong_shape' }],
  [
    'Ollama with an empty prompt',
    {
      body: {
        choices: [{ message: { content: '' }, finish_reason: 'load' }],
        usage: { prompt_tokens: 0, completion_tokens: 0 },
      },
    },
    { kind: 'wrong_shape' },
  ],
  [
    'half a body',
    {
      headers: { 'content-type': 'application/json', 'content-length': '500' },
      body: '{"choices"',
      ending: 'cut',
    },
    { kind: 'disconnected' },
  ],
] as const)('%s', async (_, reply, expected) => {
  await using box = await open()
  box.simulator.script([reply])
  const error = await box.fail({ model: 'simulator' })
  expect(error).toMatchObject({ stopped: 'ended', ...expected })
  expect(error.message).not.toMatch(/sk-123|Hello/)
})

test('an answer without text but a refusal is that text', async () => {
  await using box = await open()
  box.simulator.script([
    { body: { choices: [{ message: { content: null, refusal: 'No.' }, finish_reason: 'stop' }] } },
  ])
  expect(await box.ask({ model: 'x' })).toMatchObject({ text: 'No.', finish_reason: 'stop' })
})

test.each([
  ['reasoning_content', 'llama.cpp'],
  ['reasoning', 'Ollama'],
])('%s of %s comes in deltas and whole', async (field) => {
  await using box = await open()
  const events = [
    chunk({ [field]: 'Hm' }),
    chunk({ [field]: 'm.' }),
    chunk({ content: '4' }),
    chunk({}, 'stop'),
    '[DONE]',
  ]
  box.simulator.script([{ events }])
  const reasoned: unknown[] = []
  const end = await box.ask({
    stream: true,
    model: 'x',
    onDelta: (event) => reasoned.push(event.type === 'delta' && event.reasoning),
  })
  expect(end).toMatchObject({ text: '4', reasoning: 'Hmm.' })
  expect(reasoned).toEqual(['Hm', 'm.', undefined])
})

test("fragments of tool calls are put together, in OpenAI's form and in Ollama's, where each has the index 0", async () => {
  await using box = await open()
  const call = (fields: object) => chunk({ tool_calls: [fields] })
  const openAI = [
    call({ index: 0, id: 'a', type: 'function', function: { name: 'add', arguments: '' } }),
    call({ index: 0, function: { arguments: '{"x":' } }),
    call({ index: 1, id: 'b', function: { name: 'sub', arguments: '{}' } }),
    call({ index: 0, function: { arguments: '1}' } }),
    chunk({}, 'tool_calls'),
    '[DONE]',
  ]
  const ollama = [
    call({ index: 0, id: 'a', function: { name: 'add', arguments: '{"x":1}' } }),
    call({ index: 0, id: 'b', function: { name: 'sub', arguments: '{}' } }),
    chunk({}, 'tool_calls'),
    '[DONE]',
  ]
  box.simulator.script([{ events: openAI }, { events: ollama }])
  const expected = [
    { id: 'a', type: 'function', function: { name: 'add', arguments: '{"x":1}' } },
    { id: 'b', type: 'function', function: { name: 'sub', arguments: '{}' } },
  ]
  for (const _ of [openAI, ollama]) {
    const end = await box.ask({ stream: true, model: 'x' })
    expect(end).toMatchObject({ finish_reason: 'tool_calls', tool_calls: expected })
  }
})

test.each([
  [
    'usage after the finish reason',
    [chunk({ content: 'Hi' }), chunk({}, 'stop'), { choices: [], usage }, '[DONE]'],
    { text: 'Hi', usage: { prompt_tokens: 9, completion_tokens: 2 } },
  ],
  [
    'usage beside the finish reason (Mistral)',
    [chunk({ content: 'Hi' }), chunk({}, 'stop', { usage }), '[DONE]'],
    { usage: { prompt_tokens: 9, completion_tokens: 2 } },
  ],
  [
    'its own times beside the finish reason (llama.cpp)',
    [
      chunk({ content: 'Hi' }),
      chunk({}, 'stop', { timings: { prompt_ms: 12.5, predicted_ms: 30 } }),
      { choices: [], usage },
      '[DONE]',
    ],
    { times: { promptMs: 12.5, completionMs: 30 } },
  ],
  ['no end mark', [chunk({ content: 'Hi' }), chunk({}, 'stop')], { text: 'Hi', finish_reason: 'stop' }],
  [
    'no finish reason but an end mark',
    [chunk({ content: 'Hi' }), '[DONE]'],
    { text: 'Hi', finish_reason: 'stop', raw_finish_reason: null },
  ],
  [
    'a full context that says length (llama.cpp)',
    [chunk({ content: 'Hi' }), chunk({}, 'length', { usage }), '[DONE]'],
    { finish_reason: 'length', raw_finish_reason: 'length' },
  ],
  [
    'length without a count',
    [chunk({ content: 'Hi' }), chunk({}, 'length'), '[DONE]'],
    { finish_reason: 'length' },
  ],
  [
    'a filter',
    [chunk({ content: 'Hi' }), chunk({}, 'content_filter'), '[DONE]'],
    { finish_reason: 'content_filter', raw_finish_reason: 'content_filter' },
  ],
  [
    'a first event without choices (Azure)',
    [{ choices: [], prompt_filter_results: [] }, chunk({ content: 'Hi' }, 'stop'), '[DONE]'],
    { text: 'Hi' },
  ],
] as const)('stream: %s', async (_, events, expected) => {
  await using box = await open()
  box.simulator.script([{ events }])
  expect(await box.ask({ stream: true, model: 'x' })).toMatchObject(expected)
})

test('a count of zero for a text that is there is no count', async () => {
  await using box = await open()
  const nothing = { prompt_tokens: 0, completion_tokens: 0 }
  box.simulator.script([
    { events: [chunk({ content: 'Hi' }), chunk({}, 'stop', { usage: nothing }), '[DONE]'] },
  ])
  const end = await box.ask({ stream: true, model: 'x' })
  expect(end.text).toBe('Hi')
  expect(end).not.toHaveProperty('usage')
})

test.each([
  ['ends without a finish reason', { events: [chunk({ content: 'Hi' })] }, { kind: 'interrupted' }],
  ['breaks off', { events: [chunk({ content: 'Hi' })], ending: 'cut' }, { kind: 'interrupted' }],
  [
    'an error frame',
    { events: [chunk({ content: 'Hi' }), { error: { message: 'my secret prompt', code: 500 } }] },
    { kind: 'wrong_shape' },
  ],
  [
    'an error frame of older vLLM',
    { events: [chunk({ content: 'Hi' }), { object: 'error', message: 'x', code: 500 }] },
    { kind: 'wrong_shape' },
  ],
  [
    'finish reason "error" (OpenRouter)',
    { events: [chunk({ content: 'Hi' }), chunk({}, 'error'), '[DONE]'] },
    { kind: 'wrong_shape' },
  ],
  ['not JSON', { events: [chunk({ content: 'Hi' }), 'my secret prompt'] }, { kind: 'not_json' }],
] as const)('a stream that fails: %s', async (_, reply, expected) => {
  await using box = await open()
  box.simulator.script([reply])
  const error = await box.fail({ stream: true, model: 'x' })
  expect(error).toMatchObject({ partial: 'Hi', stopped: 'ended', ...expected })
  expect(error.message).not.toContain('secret')
})

test('a stream that is answered in one piece yields it as one delta', async () => {
  await using box = await open()
  box.simulator.script([
    { body: { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }], usage } },
  ])
  expect(await box.ask({ stream: true, model: 'x' })).toMatchObject({ text: 'Hi', deltas: ['Hi'] })
})

test('a pause between tokens is limited, the time to the first one is not', async () => {
  const clock = createVirtualClock()
  await using box = await open(fast, { clock, tokenTimeoutMs: 1000 })
  box.simulator.script([
    { events: [], ending: 'hang' },
    { events: [chunk({ content: 'Hi' })], ending: 'hang' },
  ])
  const abort = new AbortController()
  const silent = box.fail({ stream: true, model: 'x', signal: abort.signal })
  await box.simulator.waitForCall(1)
  await clock.advance(3_600_000)
  abort.abort()
  expect(await silent).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  const { promise: came, resolve } = Promise.withResolvers<void>()
  const stalled = box.fail({ stream: true, model: 'x', onDelta: () => setImmediate(resolve) })
  await came
  await clock.advance(1500)
  expect(await stalled).toMatchObject({ kind: 'stalled', partial: 'Hi', stopped: 'ended' })
  await box.simulator.waitFor(({ running }) => running === 0)
})

test.each([true, false])('an abort closes the call, and the server stops (stream %s)', async (stream) => {
  await using box = await open({ tokensPerSecond: 20 })
  const abort = new AbortController()
  const failed = box.fail({ stream, model: 'x', signal: abort.signal })
  await box.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  abort.abort()
  expect(await failed).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  await box.simulator.waitFor(({ calls }) => calls[0]?.state === 'dropped')
})

test('a call that is left early is closed', async () => {
  await using box = await open({ tokensPerSecond: 50 })
  const [chat] = box.backend.endpoints
  if (!chat) throw new Error('no endpoint')
  const request: GenerationRequest = {
    key: 'job-1',
    model: 'x',
    turns: [{ role: 'user', content: 'Hello' }],
    parameters: { max_tokens: 64, temperature: 0.7, top_p: 1 },
  }
  const { signal } = new AbortController()
  for await (const _ of box.backend.generate(chat, request, { signal, stream: true })) break
  await box.simulator.waitFor(({ calls }) => calls[0]?.state === 'dropped')
})

test('nobody there: refused, and nothing was sent', async () => {
  await using box = await open()
  await box.simulator.close()
  expect(await box.fail()).toMatchObject({ kind: 'connect', stopped: 'not_sent' })
  expect(await box.fail({ model: 'x' })).toMatchObject({ kind: 'connect', stopped: 'not_sent' })
  await expect(box.backend.probe(new AbortController().signal)).rejects.toMatchObject({ kind: 'connect' })
})

test.each([
  ['llama.cpp', { models: ['m'], contextLength: 4096, idle: true, version: 'b8681-simulator' }],
  ['vllm', { models: ['m'], contextLength: 4096 }],
  ['ollama', { models: ['m'], contextLength: 4096, loaded: [{ name: 'm', contextLength: 4096 }] }],
  ['llama-swap', { models: ['m'], loaded: [{ name: 'm' }] }],
  ['lm-studio', { models: ['m'], contextLength: 4096, loaded: [{ name: 'm', contextLength: 4096 }] }],
  ['hosted', { models: ['m'] }],
] as const)('a probe of %s', async (flavour, state) => {
  await using box = await open({ ...fast, flavour, models: ['m'], contextLength: 4096 })
  const { signal } = new AbortController()
  expect(await box.backend.probe(signal)).toEqual(state)
  const before = box.simulator.requests.length
  expect(await box.backend.probe(signal)).toEqual(state)
  const again = box.simulator.requests.slice(before)
  // What is not there is not asked for again.
  expect(again.length).toBe({ 'llama.cpp': 4, hosted: 1, vllm: 1 }[flavour as string] ?? 2)
})

test('a probe while llama.cpp loads says so, though it lists its model', async () => {
  await using box = await open()
  const body = { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }
  box.simulator.script([{ status: 503, body }], '/health')
  const probe = () => box.backend.probe(new AbortController().signal)
  await expect(probe()).rejects.toMatchObject({ kind: 'status', reason: 'busy', status: 503 })
  expect(await probe()).toMatchObject({ idle: true })
})

test.each(['/health', '/props', '/api/ps', '/running', '/api/v0/models'])(
  'a probe says what the list says where %s is accepted and never answered',
  async (path) => {
    const clock = createVirtualClock()
    await using box = await open(fast, { clock })
    box.simulator.script([{ ending: 'hang' }], path)
    const probed = box.backend.probe(new AbortController().signal)
    await box.simulator.waitFor(({ requests }) => requests.includes(`GET ${path}`))
    await clock.advance(1000)
    expect(await probed).toMatchObject({ models: [expect.any(String)] })
  },
)

test('a probe does not wait for slots that do not answer', async () => {
  const clock = createVirtualClock()
  await using box = await open(fast, { clock })
  box.simulator.script([{ ending: 'hang' }], '/slots')
  const probed = box.backend.probe(new AbortController().signal)
  await box.simulator.waitFor(({ requests }) => requests.includes('GET /slots'))
  await clock.advance(600)
  expect(await probed).toEqual({ models: ['simulator'], contextLength: 8192, version: 'b8681-simulator' })
})

test('a wrong key is a state, not a failure; a configured list replaces that of the server', async () => {
  await using box = await open({ ...fast, flavour: 'hosted', models: ['a', 'b', 'c'] }, { models: ['b'] })
  expect(await box.backend.probe(new AbortController().signal)).toEqual({ models: ['b'] })
  box.simulator.script([{ status: 401, body: {} }], '/v1/models')
  expect(await box.backend.probe(new AbortController().signal)).toMatchObject({ authorised: false })
})

test('an event goes through the desk, with its key', async () => {
  await using box = await open(
    { ...fast, apiKey: 'secret', flavour: 'vllm', models: ['qwen'] },
    { apiKey: 'secret' },
  )
  const dispatcher = createDispatcher({ backends: [box.backend] })
  const outcome = await dispatcher.onEvent({ content: 'Say hello.' })
  expect(outcome).toMatchObject({ backend: 'openai', endpoint: 'chat', model: 'qwen' })
  await dispatcher.close()
})
