import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDispatcher, createOpenAIBackend, type Outcome } from '@ai-ticket/core'
import { createScaledClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

// What servers say of a refusal, over real sockets: the code that the caller gets, and how often the server was asked.

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const MODELS = JSON.stringify({ object: 'list', data: [{ id: 'm', object: 'model' }] })

async function openServer(chat: Answer, models: Answer = (_, response) => response.end(MODELS)) {
  let calls = 0
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    if (request.method === 'GET')
      return request.url === '/v1/models' ? models(request, response) : response.writeHead(404).end()
    calls += 1
    chat(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function askOnce(url: string): Promise<Outcome> {
  // A second passes in 20 ms, so that pauses cost nothing.
  const clock = createScaledClock(50)
  await using dispatcher = createDispatcher({
    clock,
    backends: [createOpenAIBackend({ name: 'box', url, clock })],
  })
  return await dispatcher.onEvent({ content: 'Why?', timeout_ms: 60_000 })
}

const refusing =
  (status: number, body: unknown): Answer =>
  (_, response) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
  }

test.each([
  ['vLLM', 400, { object: 'error', message: 'max_tokens must be at least 1, got -160.' }],
  [
    'vLLM',
    400,
    {
      error: {
        message: 'The decoder prompt (length 10100) is longer than the maximum model length of 8192.',
      },
    },
  ],
  [
    'SGLang',
    400,
    { message: "The input (61000 tokens) is longer than the model's context length (40960 tokens)." },
  ],
  [
    'LM Studio',
    400,
    {
      error:
        'Trying to keep the first 6200 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.',
    },
  ],
  ['TabbyAPI', 400, { detail: 'Request length 71000 + 2048 is greater than max_seq_len 65536' }],
  [
    'pydantic',
    422,
    {
      detail: [{ loc: ['body'], msg: 'prompt is too long: 9000 tokens > 8192 maximum', type: 'value_error' }],
    },
  ],
  [
    'llama.cpp',
    500,
    { error: { code: 500, message: 'Context size has been exceeded.', type: 'server_error' } },
  ],
  ['a gateway', 503, { detail: 'Context size has been exceeded.' }],
  ['llama-cpp-python', 500, { error: { message: 'Requested tokens (5000) exceed context window of 4096' } }],
])('%s, %s: a prompt that does not fit is refused once, as what it is', async (_, status, body) => {
  await using server = await openServer(refusing(status, body))
  expect(await askOnce(`http://127.0.0.1:${server.port}`)).toMatchObject({ error: 'context_length_exceeded' })
  expect(server.calls()).toBe(1)
})

test.each([
  'Chat completion 3f aborted. Maybe the model was unloaded? Please check the server console.',
  'Text completion 3f aborted. Maybe the model was unloaded? Please try again.',
  'The worker of the model queue crashed.',
  'Model failed to load: CUDA out of memory',
])('a 503 that speaks of a failure is no busy server: it ends after its three calls (%s)', async (detail) => {
  await using server = await openServer(refusing(503, { detail }))
  expect(await askOnce(`http://127.0.0.1:${server.port}`)).toMatchObject({ error: 'api_server_error' })
  // Both endpoints, three calls each.
  expect(server.calls()).toBe(6)
})

test.each([
  ['roles', 400, 'Conversation roles must alternate user/assistant/user/assistant/...', /chat template/],
  ['roles', 500, 'Jinja Exception: Conversation roles must alternate user/assistant', /chat template/],
  ['an unloaded model', 400, 'Model unloaded.', /unloaded or has crashed/],
  ['an option', 400, '`top_p` is not supported by this model', /`top_p`/],
])(
  '%s (%s): the details name the kind without quoting, and nothing is repeated',
  async (_, status, message, details) => {
    await using server = await openServer(
      refusing(status, { error: { message: `${message} The secret prompt.` } }),
    )
    const outcome = await askOnce(`http://127.0.0.1:${server.port}`)
    expect(outcome).toMatchObject({ error: 'api_client_error', details: expect.stringMatching(details) })
    expect(JSON.stringify(outcome)).not.toContain('secret')
    expect(server.calls()).toBe(1)
  },
)

test('a list of models that never comes costs an event seconds, not its deadline', async () => {
  const answer = {
    choices: [{ index: 0, message: { role: 'assistant', content: 'Because.' }, finish_reason: 'stop' }],
  }
  await using server = await openServer(refusing(200, answer), () => {})
  expect(await askOnce(`http://127.0.0.1:${server.port}`)).toMatchObject({ completion: 'Because.' })
  expect(server.calls()).toBe(1)
})

test('https:// for a server that speaks plain HTTP is said once, with what to change', async () => {
  await using server = await openServer(refusing(200, {}))
  const outcome = await askOnce(`https://127.0.0.1:${server.port}`)
  expect(outcome).toMatchObject({
    error: 'api_connection_error',
    details: expect.stringContaining('use http://'),
  })
  expect(outcome.attempts).toHaveLength(1)
})
