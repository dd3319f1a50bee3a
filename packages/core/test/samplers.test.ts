import { createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

async function openKobold() {
  const simulator = await startKoboldSimulator(AT_ONCE)
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }))
}

async function openOpenAI() {
  const simulator = await startOpenAISimulator(AT_ONCE)
  return deskOn(simulator, createOpenAIBackend({ url: simulator.url }))
}

const SAMPLERS = {
  adaptive_decay: 0.9,
  adaptive_target: 0.5,
  ban_eos_token: true,
  banned_strings: ['shivers down'],
  banned_tokens: ['foo'],
  bypass_eos: false,
  custom_token_bans: '1,2',
  dry_allowed_length: 2,
  dry_base: 1.75,
  dry_multiplier: 0.8,
  dry_penalty_last_n: 1024,
  dry_sequence_breakers: ['\n', ':'],
  dynatemp_exponent: 1,
  dynatemp_range: 0.5,
  guidance_scale: 1.5,
  mirostat: 2,
  mirostat_eta: 0.1,
  mirostat_tau: 5,
  negative_prompt: 'No.',
  nsigma: 1,
  reasoning_effort: 'low',
  rep_pen_range: 512,
  rep_pen_slope: 0.7,
  sampler_order: [6, 0, 1, 3, 4, 2, 5],
  smoothing_curve: 1,
  smoothing_factor: 0.2,
  tfs: 0.97,
  top_a: 0.1,
  typical: 0.95,
  xtc_probability: 0.5,
  xtc_threshold: 0.1,
}

test.each([
  ['chat', {}],
  ['text', { continues: true }],
])('KoboldCPP gets every sampler that it knows, at the endpoint %s', async (endpoint, options) => {
  await using desk = await openKobold()
  const content = { prompt: 'Once upon', ...SAMPLERS }
  expect(await desk.dispatcher.onEvent({ content }, options)).toMatchObject({ endpoint })
  expect(desk.simulator.calls[0]?.body).toMatchObject(SAMPLERS)
})

test('the native endpoint as well', async () => {
  await using desk = await openKobold()
  const { backend } = { backend: createKoboldBackend({ url: desk.simulator.url }) }
  const native = backend.endpoints.find(({ name }) => name === 'native')
  if (!native) throw new Error('no such endpoint')
  const { signal } = new AbortController()
  const parameters = { max_tokens: 8, temperature: 0.7, top_p: 1, ...SAMPLERS }
  const turns = [{ role: 'user' as const, content: 'Hi' }]
  for await (const _ of backend.generate(native, { key: 'k', turns, parameters }, { signal, stream: false }));
  await backend.close()
  expect(desk.simulator.calls[0]?.body).toMatchObject(SAMPLERS)
})

test('other servers get them by their own names', async () => {
  await using desk = await openOpenAI()
  const parameters = {
    ...SAMPLERS,
    tools: [{ type: 'function', function: { name: 'now' } }],
    parallel_tool_calls: false,
    min_tokens: 5,
    chat_template_kwargs: { enable_thinking: false },
  }
  await desk.dispatcher.onEvent({ content: 'Hi', parameters })
  const { calls } = desk.simulator
  expect(calls[0]?.body).toMatchObject({
    dry_multiplier: 0.8,
    dry_sequence_breakers: ['\n', ':'],
    xtc_probability: 0.5,
    mirostat: 2,
    dynatemp_range: 0.5,
    typical_p: 0.95,
    repeat_last_n: 512,
    top_n_sigma: 1,
    ignore_eos: true,
    reasoning_effort: 'low',
    parallel_tool_calls: false,
    min_tokens: 5,
    chat_template_kwargs: { enable_thinking: false },
  })
})

test.each([
  [{ repeat_penalty: 1.1 }, { rep_pen: 1.1 }],
  [{ rep_pen: 1.2 }, { rep_pen: 1.2 }],
  [{ rep_pen: 1.2, repetition_penalty: 1.3 }, { rep_pen: 1.3 }],
  [{ typical_p: 0.9 }, { typical: 0.9 }],
  [{ repeat_last_n: 64 }, { rep_pen_range: 64 }],
  [{ repetition_penalty_range: 64 }, { rep_pen_range: 64 }],
  [{ mirostat_mode: 2 }, { mirostat: 2 }],
  [{ tfs_z: 0.9 }, { tfs: 0.9 }],
  [{ top_n_sigma: 1 }, { nsigma: 1 }],
  [{ ignore_eos: true }, { ban_eos_token: true }],
  [{ dry_sequence_breakers: '["\\n", "*"]' }, { dry_sequence_breakers: ['\n', '*'] }],
])('%j is %j to KoboldCPP', async (parameters, expected) => {
  await using desk = await openKobold()
  await desk.dispatcher.onEvent({ content: 'Hi', parameters })
  expect(desk.simulator.calls[0]?.body).toMatchObject(expected)
})

test('what is empty or null is not sent', async () => {
  await using desk = await openKobold()
  const parameters = {
    grammar: '',
    banned_strings: [],
    dry_sequence_breakers: '',
    custom_token_bans: '',
    typical: null,
  }
  await desk.dispatcher.onEvent({ content: 'Hi', parameters })
  for (const name of Object.keys(parameters)) expect(desk.simulator.calls[0]?.body).not.toHaveProperty(name)
})

test('nothing but these names goes on', async () => {
  await using desk = await openKobold()
  const parameters = { memory: 'x', genkey: 'theirs', wonders: 1, max_context_length: 4, images: ['x'] }
  const event: unknown = { content: 'Hi', parameters }
  await desk.dispatcher.onEvent(event)
  const body = desk.simulator.calls[0]?.body
  for (const name of ['memory', 'wonders', 'max_context_length', 'images'])
    expect(body).not.toHaveProperty(name)
  expect(body).not.toMatchObject({ genkey: 'theirs' })
})

test.each([
  ['dry_multiplier', 'much'],
  ['mirostat', 1.5],
  ['sampler_order', [1, 2]],
  ['sampler_order', [6, 0, 1, 3, 4, 2, 9]],
  ['banned_strings', Array.from({ length: 65 }, String)],
  ['dry_sequence_breakers', [1]],
  ['dry_sequence_breakers', 'not a list'],
  ['chat_template_kwargs', 'x'],
  ['reasoning_effort', 3],
])('%s: %j is refused by name: it would kill the handler of the server', async (name, value) => {
  await using desk = await openKobold()
  expect(await desk.dispatcher.onEvent({ content: 'Hi', parameters: { [name]: value } })).toMatchObject({
    error: 'invalid_input_format',
    details: expect.stringContaining(`parameters.${name}`),
  })
  expect(desk.simulator.calls).toHaveLength(0)
})
