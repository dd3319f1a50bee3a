import { existsSync } from 'node:fs'
import { BackendError, createDispatcher, type GenerationEnd, type GenerationRequest } from '@ai-ticket/core'
import { createLlamaBackend, type LlamaBackendOptions } from '@ai-ticket/llama'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modelPath, whyNot } from './model-path.ts'

const there = existsSync(modelPath)
const story = ', there was a little girl named Lily. She loved to play outside in the p'

// One thread: with more than the machine has free, each token waits for the slowest.
const openBackend = (options: Partial<LlamaBackendOptions> = {}) =>
  createLlamaBackend({ modelPath, gpu: false, threads: 1, ...options })

type Opened = Awaited<ReturnType<typeof openBackend>>

let backend: Opened
beforeAll(async () => {
  if (there) backend = await openBackend()
})
afterAll(() => backend?.close())

const never = new AbortController().signal

interface Ask {
  on?: Opened
  stream?: boolean
  signal?: AbortSignal
  turns?: GenerationRequest['turns']
  schema?: Record<string, unknown>
  parameters?: Partial<GenerationRequest['parameters']>
  onDelta?: () => void
}

async function ask(how: Ask = {}): Promise<GenerationEnd & { deltas: string[] }> {
  const { on = backend, signal = never, stream = false } = how
  const [endpoint] = on.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const request: GenerationRequest = {
    key: 'job-1',
    turns: how.turns ?? [{ role: 'user', content: 'Once upon a time' }],
    parameters: { max_tokens: 24, temperature: 0, top_p: 1, ...how.parameters },
    ...(how.schema && { schema: how.schema }),
  }
  const deltas: string[] = []
  for await (const event of on.generate(endpoint, request, { signal, stream })) {
    if (event.type === 'end') return { ...event, deltas }
    deltas.push(event.text)
    how.onDelta?.()
  }
  throw new Error('no end')
}

const fail = (how: Ask): Promise<BackendError> =>
  ask(how).then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => (error instanceof BackendError ? error : Promise.reject(error)),
  )

test.skipIf(there)(`skipped: ${whyNot}`, () => {})

test.runIf(there)('greedy text, real counts and the limit', async () => {
  expect(await ask()).toEqual({
    type: 'end',
    text: story,
    finish_reason: 'length',
    raw_finish_reason: 'maxTokens',
    usage: { prompt_tokens: 5, completion_tokens: 24 },
    model: 'stories260K',
    deltas: [],
  })
})

test.runIf(there)('a stream hands on the same text', async () => {
  const { deltas, text } = await ask({ stream: true })
  expect(deltas.length).toBeGreaterThan(10)
  expect(deltas.join('')).toBe(story)
  expect(text).toBe(story)
})

test.runIf(there)('a stop string ends the text and is not in it', async () => {
  const end = await ask({ parameters: { stop: ['Lily'] } })
  expect(end).toMatchObject({
    text: ', there was a little girl named',
    finish_reason: 'stop',
    raw_finish_reason: 'customStopTrigger',
  })
})

test.runIf(there)('a seed makes chance repeatable', async () => {
  const hot = (seed: number) => ask({ parameters: { temperature: 1.5, top_k: 40, min_p: 0.01, seed } })
  const [first, again, other] = [await hot(7), await hot(7), await hot(8)]
  expect(again.text).toBe(first.text)
  expect(other.text).not.toBe(first.text)
})

test.runIf(there)('a bias keeps a token out', async () => {
  const { text } = await ask({ parameters: { max_tokens: 1, logit_bias: {} } })
  expect(text).toBe(',')
  const biased = await ask({ parameters: { max_tokens: 1, logit_bias: { 432: -100 } } })
  expect(biased.text).not.toBe(',')
})

test.runIf(there)('a schema is obeyed by a model that knows nothing of JSON', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 12 }, happy: { type: 'boolean' } },
    required: ['name', 'happy'],
  }
  const { text } = await ask({ schema, parameters: { max_tokens: 200 } })
  expect(JSON.parse(text)).toEqual({ name: expect.any(String), happy: expect.any(Boolean) })
  const format = { type: 'json_schema', json_schema: { name: 'answer', schema } }
  const asked = await ask({ parameters: { max_tokens: 200, response_format: format } })
  expect(asked.text).toBe(text)
})

test.runIf(there)('a grammar is obeyed, a wrong one refused', async () => {
  expect((await ask({ parameters: { grammar: 'root ::= "yes" | "no"' } })).text).toMatch(/^(yes|no)$/)
  expect(await fail({ parameters: { grammar: 'root ::= (' } })).toMatchObject({ kind: 'invalid_request' })
})

test.runIf(there)('every turn is read, the system turn too', async () => {
  const count = (turns: GenerationRequest['turns']) =>
    backend.countTokens?.({ key: 'c', turns, parameters: { max_tokens: 1, temperature: 0, top_p: 1 } }, never)
  const user = { role: 'user', content: 'Tell a story.' } as const
  const alone = await count([user])
  const both = await count([{ role: 'system', content: 'You like cats and dogs.' }, user])
  expect(both).toBeGreaterThan((alone ?? 0) + 5)
  const asked = await ask({ turns: [{ role: 'system', content: 'You like cats and dogs.' }, user] })
  expect(asked.usage?.prompt_tokens).toBe(both)
})

test.runIf(there)('a prompt that does not fit is refused with the numbers, and never cut', async () => {
  const error = await fail({ turns: [{ role: 'user', content: 'Once upon a time '.repeat(200) }] })
  expect(error).toMatchObject({ kind: 'status', reason: 'context_length', stopped: 'not_sent' })
  expect(error.message).toMatch(/802 tokens.*512/)
})

test.runIf(there)('an answer ends where the context does', async () => {
  const turns = [{ role: 'user', content: 'Once upon a time '.repeat(120) }] as const
  const end = await ask({ turns, parameters: { max_tokens: 400 } })
  const { prompt_tokens = 0, completion_tokens = 0 } = end.usage ?? {}
  expect(prompt_tokens + completion_tokens).toBe(512)
  expect(end).toMatchObject({ finish_reason: 'stop', raw_finish_reason: 'maxTokens' })
})

test.runIf(there)('what it cannot carry is refused', async () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } } as const
  expect(await fail({ turns: [{ role: 'user', content: [image] }] })).toMatchObject({
    kind: 'invalid_request',
  })
  expect(await fail({ parameters: { tools: [{}] } })).toMatchObject({ kind: 'invalid_request' })
  expect(await fail({ turns: [] })).toMatchObject({ kind: 'invalid_request', stopped: 'not_sent' })
})

test.runIf(there)('an abort stops between two tokens, and hands over what there is', async () => {
  const abort = new AbortController()
  const stopAt = { stream: true, parameters: { max_tokens: 500 }, signal: abort.signal }
  const error = await fail({ ...stopAt, onDelta: () => abort.abort() })
  expect(error).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(story).toContain(error.partial?.slice(0, 10))
  expect(await backend.probe(never)).toMatchObject({ idle: true })
  expect(await fail({ signal: AbortSignal.abort() })).toMatchObject({ kind: 'aborted', stopped: 'not_sent' })
})

test.runIf(there)('one at a time: the others wait in order, and may leave', async () => {
  const abort = new AbortController()
  const first = ask({ parameters: { max_tokens: 500 } })
  const leaver = fail({ signal: abort.signal })
  const last = ask()
  await expect.poll(() => backend.probe(never), { interval: 1 }).toMatchObject({ idle: false, waiting: 2 })
  abort.abort()
  expect(await leaver).toMatchObject({ kind: 'aborted', stopped: 'not_sent' })
  expect((await first).text.slice(0, story.length)).toBe(story)
  expect((await last).text).toBe(story)
})

test.runIf(there)('a probe tells the model and its context', async () => {
  expect(await backend.probe(never)).toEqual({
    models: ['stories260K'],
    contextLength: 512,
    idle: true,
    waiting: 0,
  })
})

test.runIf(there)('a chat template makes it a chat', async () => {
  const chatTemplate =
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"
  const chat = await openBackend({ chatTemplate, concurrency: 2, contextSize: 256, model: 'storyteller' })
  expect(chat.endpoints).toMatchObject([{ name: 'chat', turns: true }])
  const turns = [
    { role: 'system', content: 'You like cats.' },
    { role: 'user', content: 'Tell a story.' },
  ] as const
  const [one, two] = await Promise.all([ask({ on: chat, turns, stream: true }), ask({ on: chat, turns })])
  expect(one.text).toBe(two.text)
  expect(one.deltas.join('')).toBe(one.text)
  expect(one).toMatchObject({ model: 'storyteller', finish_reason: 'length' })
  expect(one.usage?.prompt_tokens).toBeGreaterThan(15)
  const schema = { type: 'object', properties: { happy: { type: 'boolean' } }, required: ['happy'] }
  expect(JSON.parse((await ask({ on: chat, turns, schema })).text)).toEqual({ happy: expect.any(Boolean) })
  await chat.close()
})

test.runIf(there)('closing stops what runs; twice is once', async () => {
  const own = await openBackend()
  const failed = fail({ on: own, parameters: { max_tokens: 500 } })
  const waiting = fail({ on: own })
  await Promise.resolve()
  await Promise.all([own.close(), own.close()])
  expect(await failed).toMatchObject({ kind: 'disconnected' })
  expect(await waiting).toMatchObject({ kind: 'disconnected', stopped: 'not_sent' })
  await expect(own.probe(never)).rejects.toBeInstanceOf(BackendError)
  await expect(ask({ on: own })).rejects.toBeInstanceOf(BackendError)
})

test.runIf(there)('an event goes through the desk', async () => {
  const dispatcher = createDispatcher({ backends: [await openBackend()] })
  const outcome = await dispatcher.onEvent({
    content: 'Once upon a time',
    parameters: { max_tokens: 24, temperature: 0 },
  })
  expect(outcome).toMatchObject({
    completion: story,
    backend: 'llama',
    endpoint: 'text',
    model: 'stories260K',
  })
  await dispatcher.close()
})

test('a file that is not there is named', async () => {
  await expect(openBackend({ modelPath: 'no-such-model.gguf' })).rejects.toThrow(/no-such-model\.gguf/)
})
