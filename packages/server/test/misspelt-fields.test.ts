import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { EventWarning } from '@ai-ticket/core'
import { generateText, streamText } from 'ai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, clientOf, collect, HELLO } from './openai-clients.ts'

interface Warned {
  readonly warnings?: EventWarning[]
}

const MISSPELT = { model: 'any', messages: HELLO, max_token: 5, temprature: 0.1 }
const WARNINGS: EventWarning[] = [
  { field: 'max_token', details: '`max_token` is ignored. Did you mean `max_tokens`?' },
  { field: 'temprature', details: '`temprature` is ignored. Did you mean `temperature`?' },
]

function openTypoDesk(simulator: object = AT_ONCE) {
  const lines: string[] = []
  const log = (message: string, fields: object = {}) => void lines.push(`${message} ${Object.keys(fields)}`)
  const logger = { debug() {}, info() {}, warn: log, error: log }
  const desk = openDesk({ simulators: [simulator], dispatcher: { logger } })
  return { desk, lines }
}

test('a chat, whole and streamed: the answer says which fields are misspelt, and the log says each once', async () => {
  const { desk: opening, lines } = openTypoDesk()
  await using desk = await opening
  const { chat } = clientOf(desk)
  const whole = (await chat.completions.create({ ...MISSPELT })) as Warned
  expect(whole.warnings).toEqual(WARNINGS)
  const stream = await chat.completions.create({
    ...MISSPELT,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await collect(stream)
  expect(chunks.flatMap((chunk) => (chunk as Warned).warnings ?? [])).toEqual(WARNINGS)
  expect(chunks.find((chunk) => (chunk as Warned).warnings)?.choices[0]?.finish_reason).toBe('stop')
  expect(lines).toEqual([
    '`max_token` is ignored. Did you mean `max_tokens`? request_id,door,event_id,field',
    '`temprature` is ignored. Did you mean `temperature`? request_id,door,event_id,field',
  ])
})

test('a text, and a failure', async () => {
  const { desk: opening } = openTypoDesk()
  await using desk = await opening
  const misspelt = { model: 'any', prompt: 'Once', maxTokens: 5 }
  const answer = (await clientOf(desk).completions.create(misspelt)) as Warned
  const warning = { field: 'maxTokens', details: '`maxTokens` is ignored. Did you mean `max_tokens`?' }
  expect(answer.warnings).toEqual([warning])
  const failed = await fetch(`${desk.baseURL}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...misspelt, temperature: 'hot' }),
  })
  expect(failed.status).toBe(400)
  expect(await failed.json()).toEqual({
    error: expect.objectContaining({ code: 'invalid_input_format', param: 'temperature' }),
    warnings: [warning],
  })
})

test('the AI SDK takes an answer with warnings, and its own fields bring none', async () => {
  const { desk: opening, lines } = openTypoDesk({ ...AT_ONCE, answer: () => 'Good day.' })
  await using desk = await opening
  const provider = createOpenAICompatible({ name: 'desk', baseURL: desk.baseURL, includeUsage: true })
  const asked = { model: provider('any'), prompt: 'Hello', maxOutputTokens: 20 }
  expect((await generateText(asked)).text).toBe('Good day.')
  expect(lines).toEqual([])
  const misspelt = { ...asked, providerOptions: { desk: { temprature: 1 } } }
  expect((await generateText(misspelt)).text).toBe('Good day.')
  expect(await streamText(misspelt).text).toBe('Good day.')
  expect(lines).toHaveLength(1)
})

/** What `openai` 6 and the clients of local servers send, and the desk passes over. */
const PASSED_OVER = {
  ...{
    user: 'u',
    metadata: {},
    store: true,
    service_tier: 'auto',
    reasoning_effort: 'low',
    verbosity: 'low',
  },
  ...{ prediction: null, web_search_options: {}, prompt_cache_key: 'k', prompt_cache_retention: '24h' },
  ...{ safety_identifier: 's', logprobs: false, top_logprobs: 0, n: 1, modalities: ['text'] },
  ...{
    cache_prompt: true,
    n_predict: 5,
    max_length: 5,
    id_slot: 1,
    n_probs: 0,
    top_a: 0,
    use_beam_search: false,
  },
  ...{ length_penalty: 1, keep_alive: '5m', options: {}, format: '', think: false, max_new_tokens: 5 },
}

test('what clients send on purpose brings no warning', async () => {
  const { desk: opening, lines } = openTypoDesk()
  await using desk = await opening
  for (const [path, asked] of [
    ['/chat/completions', { messages: HELLO }],
    ['/completions', { prompt: 'Once', best_of: 1, echo: false, suffix: '' }],
  ] as const) {
    const reply = await fetch(`${desk.baseURL}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...asked, ...PASSED_OVER }),
    })
    expect(reply.status).toBe(200)
    expect(await reply.json()).not.toHaveProperty('warnings')
  }
  expect(lines).toEqual([])
})
