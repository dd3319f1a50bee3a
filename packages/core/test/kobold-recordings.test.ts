import { createKoboldBackend, type GenerationEnd, type GenerationEvent, type Turn } from '@ai-ticket/core'
import { loadExchange, startReplayServer } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

// Recorded exchanges of two real servers, byte for byte, through the backend. The request bodies are ours, the
// replies theirs: so the parameters that decide how a reply is read are those of the recorded request.

interface Recorded {
  version: '1.76' | '1.115.1'
  exchange: string
  endpoint: 'chat' | 'text' | 'native'
  stream?: boolean
  max_tokens: number
  stop?: string[]
  turns?: Turn[]
}

async function replay({ version, exchange, endpoint, stream = false, ...rest }: Recorded) {
  await using server = await startReplayServer(loadExchange(version, exchange))
  const backend = createKoboldBackend({ url: server.url, silenceProbeMs: 200, deadAfterMs: 500 })
  const { turns = [{ role: 'user', content: 'Once upon a time' }], ...parameters } = rest
  const events: GenerationEvent[] = []
  try {
    const found = backend.endpoints.find(({ name }) => name === endpoint)
    if (!found) throw new Error(`no endpoint ${endpoint}`)
    const request = { key: 'job-1', turns, parameters: { temperature: 0.01, top_p: 1, ...parameters } }
    const options = { signal: new AbortController().signal, stream }
    for await (const event of backend.generate(found, request, options)) events.push(event)
  } finally {
    await backend.close()
  }
  const deltas = events.filter((event) => event.type === 'delta').map(({ text }) => text)
  return { end: events.at(-1) as GenerationEnd, deltas, requests: server.requests }
}

const story = ', there was a little girl named Lily. She loved to play outside in the p'
const tree = 'One day, Remy went to the park and saw a big tree.'
const used = (prompt_tokens: number, completion_tokens: number) => ({ prompt_tokens, completion_tokens })
const model = 'koboldcpp/stories260K'

test.each([
  // Constant usage of 1.76 is no usage; without a count a chat's "length" may have been one of its own stops.
  ['1.76', 'chat-normal', 'chat', tree, 'stop', undefined, model],
  ['1.115.1', 'chat-normal', 'chat', tree, 'length', used(64, 24), model],
  // Without stop strings nothing but the limit says "length".
  ['1.76', 'completions-normal', 'text', story, 'length', undefined, model],
  ['1.115.1', 'completions-normal', 'text', story, 'length', used(5, 24), model],
  ['1.76', 'generate-normal', 'native', story, 'length', undefined, undefined],
  ['1.115.1', 'generate-normal', 'native', story, 'length', used(5, 24), undefined],
] as const)('%s %s: a whole answer', async (version, exchange, endpoint, text, reason, usage, name) => {
  const { end, deltas } = await replay({ version, exchange, endpoint, max_tokens: 24 })
  expect(end).toEqual({
    type: 'end',
    text,
    finish_reason: reason,
    raw_finish_reason: 'length',
    ...(usage && { usage }),
    ...(name && { model: name }),
  })
  expect(deltas).toEqual([])
})

test.each([
  ['1.76', 'chat-stream', 'chat', tree, 'stop', undefined, model],
  ['1.115.1', 'chat-stream', 'chat', tree, 'stop', undefined, model],
  ['1.115.1', 'chat-stream-include-usage', 'chat', tree, 'length', used(64, 24), model],
  ['1.76', 'completions-stream', 'text', story, 'length', undefined, model],
  ['1.115.1', 'completions-stream-include-usage', 'text', story, 'length', used(5, 24), model],
  ['1.76', 'stream-normal', 'native', story, 'length', undefined, undefined],
  ['1.115.1', 'stream-normal', 'native', story, 'length', undefined, undefined],
  ['1.115.1', 'stream-slow-model', 'native', story, 'length', undefined, undefined],
] as const)('%s %s: a stream', async (version, exchange, endpoint, text, reason, usage, name) => {
  const { end, deltas } = await replay({ version, exchange, endpoint, max_tokens: 24, stream: true })
  expect(deltas.join('')).toBe(text)
  expect(end).toEqual({
    type: 'end',
    text,
    finish_reason: reason,
    raw_finish_reason: 'length',
    ...(usage && { usage }),
    ...(name && { model: name }),
  })
})

test('1.115.1 stream-slow-model: its many pieces come as many deltas', async () => {
  const slow = { version: '1.115.1', exchange: 'stream-slow-model', endpoint: 'native' } as const
  const { deltas } = await replay({ ...slow, max_tokens: 24, stream: true })
  expect(deltas.length).toBeGreaterThan(5)
})

test.each([
  ['1.76', 'chat-stop-list', 'chat', { stop: ['park'], max_tokens: 80 }],
  ['1.115.1', 'chat-stop-list', 'chat', { stop: ['park'], max_tokens: 80 }],
  ['1.76', 'completions-stop-trim', 'text', { stop: ['ball'], max_tokens: 80 }],
  ['1.115.1', 'completions-stop-trim', 'text', { stop: ['ball'], max_tokens: 80 }],
  ['1.76', 'generate-stop-sequence-trim', 'native', { stop: ['ball'], max_tokens: 80 }],
  ['1.115.1', 'generate-stop-sequence-trim', 'native', { stop: ['ball'], max_tokens: 80 }],
] as const)(
  '%s %s: a stop string ended it, whatever the server says',
  async (version, exchange, endpoint, how) => {
    const parameters = { max_tokens: how.max_tokens, stop: [...how.stop] }
    const { end } = await replay({ version, exchange, endpoint, ...parameters })
    expect(end).toMatchObject({ finish_reason: 'stop', raw_finish_reason: 'length' })
    expect(end.text.endsWith(how.stop[0])).toBe(false)
    expect(end.text).not.toBe('')
  },
)

test.each(['1.76', '1.115.1'] as const)(
  '%s stream-unicode: escaped text comes back as it was',
  async (version) => {
    const recorded = { version, exchange: 'stream-unicode', endpoint: 'native', stream: true } as const
    const { end } = await replay({ ...recorded, max_tokens: 24 })
    expect(end.text).toBe('Zoë — “é😀”')
    expect(end.finish_reason).toBe('stop')
  },
)

test('1.115.1 chat-tools-tool-choice-auto: an empty list of calls is none', async () => {
  const recorded = { version: '1.115.1', exchange: 'chat-tools-tool-choice-auto', endpoint: 'chat' } as const
  const { end } = await replay({ ...recorded, max_tokens: 1000 })
  expect(end).not.toHaveProperty('tool_calls')
  expect(end.finish_reason).toBe('stop')
})

test('1.115.1 chat-stream-tools: the few chunks at the end make the text', async () => {
  const recorded = { version: '1.115.1', exchange: 'chat-stream-tools', endpoint: 'chat' } as const
  const { end, deltas } = await replay({ ...recorded, max_tokens: 60, stream: true })
  expect(end.text).toContain('call_001')
  expect(deltas.join('')).toBe(end.text)
})

test.each([
  ['1.76', 'no-model-chat', 'chat', false],
  ['1.76', 'no-model-generate', 'native', false],
  ['1.76', 'no-model-stream', 'native', true],
  ['1.115.1', 'new-no-model-chat', 'chat', false],
  ['1.115.1', 'new-no-model-generate', 'native', false],
  ['1.115.1', 'new-no-model-stream', 'native', true],
] as const)('%s %s: an empty 200 is no answer', async (version, exchange, endpoint, stream) => {
  await expect(replay({ version, exchange, endpoint, stream, max_tokens: 12 })).rejects.toMatchObject({
    name: 'BackendError',
    kind: 'no_model',
    stopped: 'ended',
  })
})

test.each([
  ['1.76', 'error-malformed-json', 'native', { kind: 'status', status: 500, reason: 'bad_input' }],
  ['1.115.1', 'error-malformed-json', 'native', { kind: 'status', status: 500, reason: 'bad_input' }],
  ['1.76', 'busy-503', 'native', { kind: 'status', status: 503, reason: 'busy', retryAfterMs: undefined }],
  [
    '1.115.1',
    'busy-503-chat',
    'chat',
    { kind: 'status', status: 503, reason: 'busy', retryAfterMs: undefined },
  ],
  ['1.115.1', 'new-ratelimit', 'native', { kind: 'status', status: 503, reason: 'busy', retryAfterMs: 4000 }],
  ['1.76', 'password-generate-wrong', 'native', { kind: 'status', status: 401, reason: 'authentication' }],
  ['1.115.1', 'password-chat-no-auth', 'chat', { kind: 'status', status: 401, reason: 'authentication' }],
  ['1.76', 'error-prompt-null', 'native', { kind: 'wrong_shape' }],
  ['1.115.1', 'error-prompt-null', 'native', { kind: 'wrong_shape' }],
  ['1.76', 'kill-sigkill-generate', 'native', { kind: 'disconnected' }],
  ['1.115.1', 'error-chat-messages-null', 'chat', { kind: 'disconnected', stopped: 'idle' }],
] as const)('%s %s: an error', async (version, exchange, endpoint, error) => {
  await expect(replay({ version, exchange, endpoint, max_tokens: 12 })).rejects.toMatchObject(error)
})

test.each([
  ['1.76', 'kill-sigkill-chat-stream', 'chat'],
  ['1.76', 'kill-sigkill-stream', 'native'],
  ['1.115.1', 'kill-sigterm-stream', 'native'],
] as const)('%s %s: a clean end without a finish reason is a cut', async (version, exchange, endpoint) => {
  const cut = replay({ version, exchange, endpoint, stream: true, max_tokens: 500 })
  await expect(cut).rejects.toMatchObject({ kind: 'interrupted', stopped: 'idle' })
  await expect(cut).rejects.toSatisfy(({ partial }) => partial.length > 10)
})
