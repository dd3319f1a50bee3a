import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'

// They run as a reader runs them: as programs, against the build, on a simulator of their own.

const EXPECTED: Readonly<Record<string, RegExp>> = {
  'first-event.ts': /^This is the AI Ticket simulator, .+\n$/,
  'stream-to-terminal.ts': /^This is the AI Ticket simulator, .+\n$/,
  'embed-in-fastify.ts': /^\/event 200, \/summaries 200, an empty event 400\n$/,
  'custom-backend.ts': /as it should be\n$/,
  'batch-jsonl.ts': /"id":"colour"/,
  'triage.ts': /^delivery, priority 4: .+\n$/,
  'mails-to-jsonl.ts': /"order":"4711"/,
}

const programs = readdirSync(import.meta.dirname).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
)

async function run(name: string, args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const { KOBOLDCPP_API_URL, ...own } = process.env
  const env = { ...own, ...more }
  const child = spawn(process.execPath, [name, ...args], { cwd: import.meta.dirname, env })
  const [out, err, exitCode] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ])
  return { out, err, exitCode }
}

test('every example is listed here, and nothing else is', () => {
  expect(programs.toSorted()).toEqual(Object.keys(EXPECTED).toSorted())
})

describe.concurrent('runs', () => {
  test.each(programs)('%s', async (name) => {
    const { out, err, exitCode } = await run(name)
    expect(err.replace(/^\d+ (lines|mails), .*\n/, '')).toBe('')
    expect(exitCode).toBe(0)
    expect(out).toMatch(EXPECTED[name] ?? /^$/)
  })
})

test('the batch answers each line of the file once', async () => {
  const { out, err } = await run('batch-jsonl.ts', ['events/sample.jsonl'])
  const outcomes = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .toSorted((one, other) => one.line - other.line)
  expect(outcomes.map(({ line, id, error }) => ({ line, id, error }))).toEqual([
    { line: 1, id: 'greet' },
    { line: 2, id: 'sky' },
    { line: 3, id: 'story' },
    { line: 4, id: 'empty', error: 'prompt_extraction_failed' },
    { line: 6, id: 'colour' },
    { line: 7, error: 'invalid_request' },
  ])
  expect(err).toBe('6 lines, 4 answered, 2 failed\n')
})

test('the mails become one line of data each', async () => {
  const { out } = await run('mails-to-jsonl.ts', ['mails'])
  const data = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .toSorted((one, other) => one.file.localeCompare(other.file))
  expect(data).toEqual([
    { file: 'late-order.txt', sender: 'ann@example.org', wants_answer: true, order: '4711' },
    { file: 'praise.txt', sender: 'bob@example.org', wants_answer: false, order: null },
    { file: 'printer.txt', sender: 'carla@example.org', wants_answer: true, order: null },
  ])
})

const postgres = process.env.AI_TICKET_TEST_POSTGRES_URL
if (!postgres) {
  test.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run the two servers', () => {})
} else {
  test('two servers share their tickets, and one finishes what the other leaves', {
    timeout: 60_000,
  }, async () => {
    const name = `test_${randomBytes(8).toString('hex')}`
    const psql = (sql: string) => execFileSync('psql', [postgres, '-qc', sql], { stdio: 'ignore' })
    const url = new URL(postgres)
    url.pathname = `/${name}`
    psql(`CREATE DATABASE ${name}`)
    try {
      const { out, err, exitCode } = await run('two-servers/two-servers.ts', [], {
        AI_TICKET_DATABASE_URL: url.href,
      })
      expect({ out, err, exitCode }).toEqual({
        out: '20 of 20 completed, by both servers\n',
        err: '',
        exitCode: 0,
      })
    } finally {
      psql(`DROP DATABASE ${name} WITH (FORCE)`)
    }
  })
}

test('a backend that is not there makes an example fail', async () => {
  const env = { ...process.env, KOBOLDCPP_API_URL: 'http://127.0.0.1:9' }
  const child = spawn(process.execPath, ['first-event.ts'], { cwd: import.meta.dirname, env, stdio: 'pipe' })
  const [err, exitCode] = await Promise.all([
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ])
  expect(err).toContain('api_connection_error')
  expect(exitCode).not.toBe(0)
})
