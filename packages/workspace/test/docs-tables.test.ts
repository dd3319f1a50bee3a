import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULTS, FAILURE_CODES, FAILURES, JSON_LIMITS, type Tuning } from '@ai-ticket/core'
import { HTTP_STATUS } from '@ai-ticket/http-server'
import type { LlamaBackendOptions } from '@ai-ticket/llama'
import { expect, test } from 'vitest'
import { LlamaBackendSchema } from '../../ai-ticket-server/src/config/backend-schema.ts'
import { ConfigFileSchema } from '../../ai-ticket-server/src/config/config-schema.ts'
import {
  defaultOf,
  SETTINGS,
  SOURCES,
  type Source,
  settingList,
} from '../../ai-ticket-server/src/config/settings.ts'
import { TUNING_PLACES } from '../../ai-ticket-server/src/config/tuning-schema.ts'
import { EXIT, EXIT_OF_FAILURE } from '../../ai-ticket-server/src/program/exit-codes.ts'
import { rowsBy } from '../../bench/src/torture/run-torture.ts'
import { ANSWER_LIMITS, SCHEMA_LIMITS } from '../../core/src/answer-schema/answer-schema.ts'
import { resolveKoboldOptions } from '../../core/src/backends/kobold/kobold-options.ts'
import { resolveOpenAIOptions } from '../../core/src/backends/openai/openai-options.ts'
import type { FailureStage } from '../../core/src/contract/failure.ts'
import { resolveServerOptions } from '../../server/src/options.ts'
import { DELIVERY_ERRORS } from '../../tickets/src/ticket/delivery.ts'
import { plain, ROOT, readPage, tableRows } from './markdown.ts'
import { OPENAI_OPTIONS } from './openai-options.ts'

// Each test compares whole lists, so that it fails for a row too many as well as for one too few.

const REPEAT_WORDS = {
  never: 'no',
  paced: 'yes, after a pause',
  when_alone: 'only if no other backend is ready',
  repair: 'after a repair',
} as const
const NEXT_WORDS = {
  stop: 'stop',
  next_endpoint: 'next endpoint, then next backend',
  next_backend: 'next backend',
  wait_in_line: 'next backend; the only one: back to the head of the line',
} as const

/** In the order of the tables on the page: where on its way an event meets the failure. */
const STAGES: readonly FailureStage[] = ['edge', 'event', 'desk', 'attempt']

test('the tables of errors have every code, by its stage, with its status, meaning and exit code', () => {
  const head = ['code', 'HTTP', '`ask` exits', 'meaning', 'what to do']
  const rows = tableRows('docs/errors.md', head)
  const codes = STAGES.flatMap((stage) => FAILURE_CODES.filter((code) => FAILURES[code].stage === stage))
  expect(rows.map((row) => [plain(row.code), row.HTTP, row['`ask` exits'], row.meaning])).toEqual(
    codes.map((code) => [
      code,
      String(HTTP_STATUS[code]),
      String(EXIT_OF_FAILURE[code]),
      FAILURES[code].summary,
    ]),
  )
  expect(codes).toHaveLength(FAILURE_CODES.length)
  expect(rows.filter((row) => row['what to do'] === '')).toEqual([])
})

test('the table of repeats has every code of an attempt with its rule', () => {
  const rows = tableRows('docs/errors.md', ['code', 'the same endpoint again', 'then'])
  const attempts = FAILURE_CODES.filter((code) => FAILURES[code].stage === 'attempt')
  expect(rows.map((row) => [plain(row.code), row['the same endpoint again'], row.then])).toEqual(
    attempts.map((code) => [code, REPEAT_WORDS[FAILURES[code].repeat], NEXT_WORDS[FAILURES[code].next]]),
  )
})

interface Known {
  readonly variable: string
  readonly flag: string
  readonly file: string
  readonly default: string
}

const shown = (value: unknown): string => {
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',')
  if (value === '') return 'none'
  return typeof value === 'number' && value >= 10_000 ? value.toLocaleString('en') : String(value)
}

const known = (source: Source, key: string): Known => ({
  variable: source.environment,
  flag: source.flag ?? '',
  file: key in ConfigFileSchema.entries ? key : '',
  default: typeof source.fallback === 'number' ? shown(source.fallback) : defaultOf(source),
})

const settings: Known[] = [
  ...Object.entries(SOURCES).map(([key, source]) => known(source, key)),
  ...settingList.map(([, setting]) => known(setting, setting.key)),
]

const byVariable = <Item extends { readonly variable: string }>(items: readonly Item[]) =>
  items.toSorted((one, other) => one.variable.localeCompare(other.variable))

test('the table of settings has every variable, flag, key of the file and default', () => {
  const rows = tableRows('docs/configuration.md', [
    'variable',
    'flag',
    'in the file',
    'default',
    'what it sets',
  ])
  const written = rows.map((row) => ({
    variable: plain(row.variable),
    flag: plain(row.flag),
    file: plain(row['in the file']),
    default: plain(row.default),
  }))
  expect(byVariable(written)).toEqual(byVariable(settings))
})

test('the table of numbers has every option of the dispatcher with its place in the file and its default', () => {
  const rows = tableRows('docs/configuration.md', ['option', 'in the file', 'default', 'what it sets'])
  const places = new Map(TUNING_PLACES.map(({ name, group, key }) => [name, `${group}.${key}`]))
  expect(rows.map((row) => [plain(row.option), plain(row['in the file']), row.default])).toEqual(
    (Object.keys(DEFAULTS) as (keyof Tuning)[]).map((name) => [
      name,
      places.get(name),
      shown(DEFAULTS[name]),
    ]),
  )
})

test('the table of KoboldCPP backends has the times with their defaults', () => {
  const rows = tableRows('docs/configuration.md', ['option', 'under `timeouts`', 'default', 'what it sets'])
  const resolved = resolveKoboldOptions({ url: 'http://localhost:5001' })
  const times = Object.entries(resolved).filter(([name]) => name.endsWith('Ms'))
  expect(rows.map((row) => [plain(row.option), row.default])).toEqual(
    times.map(([name, value]) => [name, shown(value)]),
  )
  expect(rows.map((row) => plain(row['under `timeouts`']))).toEqual(
    times.map(([name]) => TIME_KEYS[name as keyof typeof TIME_KEYS]),
  )
})

/** As `compose.ts` hands them on. */
const TIME_KEYS = {
  connectTimeoutMs: 'connect_ms',
  tokenTimeoutMs: 'token_ms',
  silenceProbeMs: 'silence_probe_ms',
  deadAfterMs: 'dead_after_ms',
  abortIntervalMs: 'abort_interval_ms',
}

test('the table of OpenAI-compatible backends has every option, and the times with their defaults', () => {
  const head = ['option of `createOpenAIBackend`', 'default', 'what it sets']
  const rows = tableRows('docs/backends.md', head)
  const written = rows.map((row) => [plain(row['option of `createOpenAIBackend`']), plain(row.default)])
  expect(written.map(([name]) => name)).toEqual(Object.keys(OPENAI_OPTIONS))
  const { name, connectTimeoutMs, tokenTimeoutMs } = resolveOpenAIOptions({ url: 'http://localhost' })
  expect(Object.fromEntries(written)).toMatchObject({
    name,
    connectTimeoutMs: shown(connectTimeoutMs),
    tokenTimeoutMs: shown(tokenTimeoutMs),
  })
})

test('the table of a model in this process has every option with its place in the file', () => {
  const head = ['option of `createLlamaBackend`', 'in the file', 'default', 'what it sets']
  const rows = tableRows('docs/configuration.md', head)
  const options: Record<keyof LlamaBackendOptions, string> = {
    modelPath: 'model_path',
    name: 'name',
    model: 'model',
    contextSize: 'context_size',
    concurrency: 'concurrency',
    gpu: 'gpu',
    threads: 'threads',
    chatTemplate: 'chat_template',
    template: 'template',
  }
  expect(
    rows.map((row) => [plain(row['option of `createLlamaBackend`']), plain(row['in the file'])]),
  ).toEqual(Object.entries(options))
  const { type, aliases, warm_prompts, ...entries } = LlamaBackendSchema.entries
  expect(Object.values(options).toSorted()).toEqual(Object.keys(entries).toSorted())
})

test('the table of the server has every option with its default', () => {
  const rows = tableRows('docs/configuration.md', ['option of `createServer`', 'default', 'what it sets'])
  const { dispatcher, logger, ready, clock, ...plainOptions } = resolveServerOptions({
    // Only handed on.
    dispatcher: Object.create(null),
  })
  const written = rows.map((row) => [plain(row['option of `createServer`']), plain(row.default)])
  const objects = ['dispatcher', 'logger', 'ready', 'clock', 'version', 'metrics']
  expect(written.filter(([name = '']) => !objects.includes(name))).toEqual(
    Object.entries(plainOptions).map(([name, value]) => [name, shown(value)]),
  )
  expect(
    written
      .map(([name]) => name)
      .filter((name = '') => objects.includes(name))
      .toSorted(),
  ).toEqual(objects.toSorted())
})

test('the page on batches knows how the command ends', () => {
  const rows = tableRows('docs/batch.md', ['exit code of `batch`', 'what happened'])
  const written = rows.flatMap((row) => (row['exit code of `batch`'] ?? '').split(', ').map(Number))
  const { cannotListen, ...ofTheBatch } = EXIT
  expect(written).toEqual(Object.values(ofTheBatch).toSorted((one, other) => one - other))
})

test('the table of callbacks has every way in which an attempt fails', () => {
  const rows = tableRows('docs/tickets.md', ['`error` of an attempt', 'what happened'])
  expect(rows.map((row) => plain(row['`error` of an attempt']))).toEqual([...DELIVERY_ERRORS])
})

test('the page on deployment knows how the server ends', () => {
  const rows = tableRows('docs/deployment.md', ['exit code', 'what happened'])
  const written = rows.flatMap((row) => (row['exit code'] ?? '').split(', ').map(Number))
  const { someFailed, badInput, noInput, unavailable, temporary, noPermission, ...ofTheServer } = EXIT
  expect(written).toEqual(Object.values(ofTheServer).toSorted((one, other) => one - other))
})

test('the table of what hurts has every row of the torture, and ours passes all of them', () => {
  const page = 'docs/performance.md'
  const [ours = '', ...others] = (/^\| row +\|(.*)\|$/m.exec(readPage(page))?.[1] ?? '')
    .split('|')
    .map((name) => name.trim())
  const rows = tableRows(page, ['row', ours, ...others])
  expect(rows.map(({ row }) => row)).toEqual(rowsBy('chat').map(({ name }) => name))
  expect(ours).toMatch(/^ai-ticket-server \d/)
  expect(rows.filter((row) => row[ours] !== 'pass')).toEqual([])
})

test('the table of what hurts clients of KoboldCPP has every row of its own', () => {
  const rows = tableRows('docs/performance.md', ["row of KoboldCPP's API", 'ai-ticket-server', 'seen'])
  const common = rowsBy('chat')
  const own = rowsBy('kobold').filter((row) => !common.includes(row))
  expect(rows.map((row) => [row["row of KoboldCPP's API"], row['ai-ticket-server']])).toEqual(
    own.map(({ name }) => [name, 'pass']),
  )
})

const KIB = 1_024
const inMib = (bytes: number) => `${bytes / KIB / KIB} MiB`
const counted = (count: number) => count.toLocaleString('en')

test('the page on deployment has every limit as it is', () => {
  const rows = tableRows('docs/deployment.md', ['what', 'at most', 'beyond it'])
  const { bodyLimitBytes, bodyBudgetBytes, unreadBytes, readerTimeoutMs, requestTimeoutMs, maxConnections } =
    resolveServerOptions({ dispatcher: Object.create(null) })
  expect(bodyBudgetBytes).toBe(SETTINGS.bodyBudgetBytes.fallback)
  expect(rows.map((row) => [row.what, row['at most']])).toEqual([
    ['a body', `\`AI_TICKET_BODY_LIMIT\`, ${inMib(bodyLimitBytes)}`],
    ['bodies that come, wait and run', `\`AI_TICKET_BODY_BUDGET\`, ${inMib(bodyBudgetBytes)}`],
    // body-budget.test.ts
    ['those of one caller', 'three quarters of what the others leave'],
    ['levels of JSON', String(JSON_LIMITS.depth)],
    ['keys of a JSON body', counted(JSON_LIMITS.keys)],
    ['values of a JSON body', counted(JSON_LIMITS.values)],
    [
      'a `schema`',
      `${SCHEMA_LIMITS.length / KIB} KiB, ${SCHEMA_LIMITS.subschemas} schemas, ${SCHEMA_LIMITS.depth} deep`,
    ],
    [
      'an answer checked against a schema',
      `${inMib(ANSWER_LIMITS.length)}, ${ANSWER_LIMITS.depth} levels, ${counted(ANSWER_LIMITS.steps)} steps`,
    ],
    ['events in the waiting line', `\`line.capacity\`, ${counted(DEFAULTS.lineCapacity)}`],
    // edge-errors.test.ts
    ['headers, the request line included', '16 KiB'],
    ['an address', '8 KiB'],
    ['time for the headers, the whole request', `20 s, ${requestTimeoutMs / 1_000} s`],
    ['large answers that wait to be read', inMib(unreadBytes)],
    ['time in which a reader takes nothing', `${readerTimeoutMs / 1_000} s`],
    ['connections', counted(maxConnections)],
    // edge-errors.test.ts
    ['requests of one connection at a time', '9, and 256 that wait for them'],
  ])
  const codes = rows.flatMap((row) => [...(row['beyond it'] ?? '').matchAll(/(\d{3}) `(\w+)`/g)])
  expect(codes.length).toBeGreaterThan(10)
  for (const [, status, code = ''] of codes)
    expect(HTTP_STATUS[code as keyof typeof HTTP_STATUS], code).toBe(Number(status))
})

// What holds each line of it stands in docs-callers.test.ts.
test('the numbers and codes on what a caller can do are those of the server', () => {
  const head = ['what a caller tries', 'what happens', 'what the caller hears']
  const rows = tableRows('docs/operations.md', head)
  const page = readPage('docs/operations.md')
  const { bodyBudgetBytes, unreadBytes, readerTimeoutMs } = resolveServerOptions({
    dispatcher: Object.create(null),
  })
  for (const number of [inMib(bodyBudgetBytes), inMib(unreadBytes), `${readerTimeoutMs / 1_000} s`])
    expect(page).toContain(number)
  // Its own numbers: standstill.test.ts.
  const standstill = readFileSync(join(ROOT, 'packages/ai-ticket-server/test/standstill.test.ts'), 'utf8')
  expect(standstill).toContain('MOST_PAUSE_MS = 1_000')
  expect(standstill).toContain('MOST_MIB = 1_000')
  for (const row of rows)
    for (const [, status, code = ''] of (row['what the caller hears'] ?? '').matchAll(/(\d{3}) `(\w+)`/g))
      expect(HTTP_STATUS[code as keyof typeof HTTP_STATUS], code).toBe(Number(status))
})
