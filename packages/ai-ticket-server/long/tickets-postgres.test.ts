import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { runProgram, SERVER, startServer } from '../test/run-program.ts'

const POSTGRES_URL = process.env.AI_TICKET_TEST_POSTGRES_URL || undefined

test('a PostgreSQL that is not there: the server does not start, says why, and keeps the password to itself', async () => {
  const environment = { AI_TICKET_DATABASE_URL: 'postgres://desk:secret@127.0.0.1:1/tickets' }
  const { code, stdout, stderr } = await runProgram(SERVER, ['--port', '0'], { environment })
  expect(code).toBe(73)
  expect(stderr).toContain('AI_TICKET_DATABASE_URL')
  expect(stdout + stderr).not.toContain('secret')
})

test('an address of another database is refused', async () => {
  const environment = { AI_TICKET_DATABASE_URL: 'mysql://desk:secret@127.0.0.1/tickets' }
  const { code, stderr } = await runProgram(SERVER, ['--port', '0'], { environment })
  expect(code).toBe(78)
  expect(stderr).not.toContain('secret')
})

if (POSTGRES_URL === undefined) {
  test.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run two servers on one', () => {})
} else {
  test('a server runs, and answers for, the ticket that another one has accepted', async () => {
    await using database = createDatabase(POSTGRES_URL)
    await using simulator = await startKoboldSimulator()
    const server = (worker: string, backend: string) =>
      startServer([], {
        AI_TICKET_DATABASE_URL: database.url,
        AI_TICKET_WORKER: worker,
        KOBOLDCPP_API_URL: backend,
      })
    await using runs = await server('runs', simulator.url)
    const accepts = await server('accepts', 'http://127.0.0.1:1')
    await accepts.waitForLine(/^Prompts and answers are kept .* in PostgreSQL/)
    const accepted = await fetch(`${accepts.url}/event`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: '{"content":"Hello"}',
    })
    expect(accepted.status).toBe(202)
    accepts.child.kill('SIGTERM')
    expect(await accepts.ended).toBe(0)
    const ticket = await fetch(`${runs.url}${accepted.headers.get('location')}?wait=20s`)
    expect(await ticket.json()).toMatchObject({ status: 'completed', event: { content: 'Hello' } })
  })

  test('a second server of one name waits, and then does not start and says why', {
    timeout: 90_000,
  }, async () => {
    await using database = createDatabase(POSTGRES_URL)
    const environment = { AI_TICKET_DATABASE_URL: database.url, AI_TICKET_WORKER: 'same' }
    await using _first = await startServer([], environment)
    const { code, stdout, stderr } = await runProgram(SERVER, ['--port', '0'], { environment })
    expect(code).toBe(73)
    expect(stderr).toMatch(/has the name "same".*AI_TICKET_WORKER/)
    expect(stdout).toContain('waiting for it to end')
  })
}

/** A database of its own, for the program names its schemas by itself. */
function createDatabase(url: string) {
  const name = `test_${randomBytes(8).toString('hex')}`
  const run = (sql: string) => execFileSync('psql', [url, '-qc', sql], { stdio: 'ignore' })
  run(`CREATE DATABASE ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return {
    url: own.href,
    async [Symbol.asyncDispose]() {
      run(`DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}
