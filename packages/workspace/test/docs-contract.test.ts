import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  DataOutcome,
  DispatcherOptions,
  FailureOutcome,
  KoboldBackendOptions,
  Parameters,
  SamplerParameters,
  Tuning,
} from '@ai-ticket/core'
import { expect, test } from 'vitest'
import type { TicketEvent } from '../../core/src/event/event.ts'
import { ROOT, readPage, tableRows } from './markdown.ts'
import { OPENAI_OPTIONS } from './openai-options.ts'

// A field that the contract gains does not compile here until it is named, and does not pass until it is documented.

type Names<Type> = Readonly<Record<keyof Type, true>>

const EVENT: Names<TicketEvent> = {
  content: true,
  id: true,
  backend: true,
  model: true,
  parameters: true,
  schema: true,
  context_policy: true,
  timeout_ms: true,
  priority: true,
  metadata: true,
}

const OUTCOME: Readonly<Record<keyof DataOutcome<unknown> | keyof FailureOutcome, true>> = {
  completion: true,
  error: true,
  details: true,
  id: true,
  metadata: true,
  model: true,
  backend: true,
  endpoint: true,
  finish_reason: true,
  usage: true,
  reasoning: true,
  tool_calls: true,
  prompt_truncated: true,
  dropped_turns: true,
  data: true,
  schema: true,
  partial: true,
  duration_ms: true,
  waited_ms: true,
  attempts: true,
  retry_after_ms: true,
  warnings: true,
}

/** The samplers have a table of their own, in docs/openai.md. */
const PARAMETERS: Names<Omit<Parameters, keyof SamplerParameters>> = {
  max_tokens: true,
  temperature: true,
  top_p: true,
  top_k: true,
  min_p: true,
  repetition_penalty: true,
  presence_penalty: true,
  frequency_penalty: true,
  stop: true,
  seed: true,
  logit_bias: true,
  tools: true,
  tool_choice: true,
  response_format: true,
  grammar: true,
}

const DISPATCHER: Names<Omit<DispatcherOptions, keyof Tuning>> = {
  backends: true,
  contextPolicy: true,
  logger: true,
  onOutcome: true,
  observer: true,
  clock: true,
  random: true,
}

const KOBOLD: Names<KoboldBackendOptions> = {
  connectTimeoutMs: true,
  tokenTimeoutMs: true,
  silenceProbeMs: true,
  deadAfterMs: true,
  abortIntervalMs: true,
  url: true,
  name: true,
  apiKey: true,
  model: true,
  template: true,
  logger: true,
  clock: true,
  fetch: true,
}

/** Every word in backticks. */
const named = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)

const firstCells = (head: readonly string[]) =>
  tableRows('docs/getting-started.md', head).flatMap((row) => named(row[head[0] ?? ''] ?? ''))

test('the table of the event has every field', () => {
  expect(firstCells(['field of the event', 'what it is'])).toEqual(Object.keys(EVENT))
})

test('the table of the outcome has every field', () => {
  expect(firstCells(['field of the outcome', 'what it is'])).toEqual(Object.keys(OUTCOME))
})

test('the field `parameters` lists them all', () => {
  const row = tableRows('docs/getting-started.md', ['field of the event', 'what it is']).find(
    (one) => one['field of the event'] === '`parameters`',
  )
  expect(named(row?.['what it is'] ?? '')).toEqual(Object.keys(PARAMETERS))
})

test.each([
  ['Dispatcher options', Object.keys(DISPATCHER)],
  ['A KoboldCPP backend', Object.keys(KOBOLD)],
  ['An OpenAI-compatible backend', Object.keys(OPENAI_OPTIONS)],
])('the section "%s" names every option', (title, options) => {
  const [, section = ''] = readPage('docs/configuration.md').split(`\n## ${title}\n`)
  const names = named(section.split('\n## ')[0] ?? '')
  expect(options.filter((name) => !names.includes(name))).toEqual([])
})

/** Names of all keys, however deep. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'properties' in schema ? Object.keys(schema.properties as object) : []
  return [...own, ...Object.values(schema).flatMap(keysOf)]
}

test('the page on configuration names every key of the file', () => {
  const schema = JSON.parse(readFileSync(join(ROOT, 'packages/ai-ticket-server/config.schema.json'), 'utf8'))
  const page = readPage('docs/configuration.md')
  const keys = new Set(keysOf(schema))
  expect(keys.size).toBeGreaterThan(30)
  expect([...keys].filter((key) => !new RegExp(`\\b${key.replace('$', '')}\\b`).test(page))).toEqual([])
})
