import {
  createConsolaLogger,
  createDispatcher,
  createOpenAIBackend,
  type Logger,
  type LogLevel,
  silentLogger,
} from '@ai-ticket/core'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createDefaultDispatcher } from '../src/default-dispatcher.ts'
import { openDesk } from './open-desk.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }
const PARENT = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` }

function logTo(level: LogLevel) {
  const lines: string[] = []
  const logger = createConsolaLogger({ level, json: true, stream: { write: (line) => lines.push(line) } })
  return { lines, logger, records: () => lines.map((line): unknown => JSON.parse(line)) }
}

test('one line says how an event ended, with all that it takes to find it again', async () => {
  const log = logTo('info')
  await using desk = await openDesk([FAST], { logger: log.logger })
  const logFields = { request_id: 'req_1', ticket_id: 'tkt_1' }
  const outcome = await desk.dispatcher.onEvent(
    { id: 'evt_1', content: 'Hi' },
    { headers: PARENT, logFields, door: 'anthropic' },
  )
  if (outcome.error !== undefined) throw new Error(outcome.error)
  expect(log.records()).toEqual([
    {
      time: expect.any(String),
      level: 'info',
      message: 'event ended',
      event_id: 'evt_1',
      ticket_id: 'tkt_1',
      request_id: 'req_1',
      door: 'anthropic',
      trace_id: TRACE_ID,
      code: 'completed',
      backend: 'b1',
      endpoint: 'chat',
      duration_ms: outcome.duration_ms,
      waited_ms: 0,
      attempts: 1,
      ...outcome.usage,
    },
  ])
})

test('a failed event is a warning, which says why and names the backend that it was last at', async () => {
  const log = logTo('info')
  await using desk = await openDesk([{ ...FAST, faults: [{ fault: 'status', status: 401 }] }], {
    logger: log.logger,
  })
  await desk.dispatcher.onEvent({ id: 'evt_1', content: 'Hi' })
  expect(log.records().at(-1)).toMatchObject({
    level: 'warn',
    message: 'event failed',
    code: 'api_authentication_error',
    details: expect.stringContaining('b1'),
    backend: 'b1',
    endpoint: 'chat',
  })
})

test('an event that its caller cancels is none', async () => {
  const log = logTo('info')
  await using desk = await openDesk([FAST], { logger: log.logger })
  const cancelled = desk.dispatcher.onEvent(
    { content: 'Hi' },
    { signal: AbortSignal.abort(new Error('mine')) },
  )
  await expect(cancelled).rejects.toThrow('mine')
  expect(log.records()).toMatchObject([{ level: 'info', message: 'event ended', code: 'cancelled' }])
})

describe('the default dispatcher', () => {
  const away = { KOBOLDCPP_API_URL: 'http://127.0.0.1:9' }

  async function linesOf(environment: Record<string, string>) {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => written.mockRestore())
    await using dispatcher = createDefaultDispatcher({ ...away, ...environment })
    await dispatcher.onEvent({ content: ' ' })
    return written.mock.calls.map(([line]) => String(line))
  }

  test('says nothing', async () => {
    expect(await linesOf({})).toEqual([])
  })

  test('logs to stderr if LOG_LEVEL is set', async () => {
    expect(await linesOf({ LOG_LEVEL: 'INFO' })).toEqual([expect.stringContaining('event failed')])
  })
})

test('a traceparent that is none is no trace', async () => {
  const log = logTo('info')
  await using desk = await openDesk([FAST], { logger: log.logger })
  await desk.dispatcher.onEvent({ content: 'Hi' }, { headers: { traceparent: 'nonsense' } })
  expect(log.records()[0]).not.toHaveProperty('trace_id')
})

test.each<LogLevel>(['info', 'debug'])(
  'at %s no line holds a prompt, an answer or metadata',
  async (level) => {
    const log = logTo(level)
    await using desk = await openDesk([FAST], { logger: log.logger })
    const event = { content: 'A secret prompt.', metadata: { note: 'secret note' } }
    const outcome = await desk.dispatcher.onEvent(event, { logFields: { api_key: 'secret key' } })
    const wrong: unknown = { ...event, parameters: { max_tokens: 'secret count' } }
    const refused = await desk.dispatcher.onEvent(wrong)
    if (outcome.error !== undefined) throw new Error(outcome.error)
    expect(refused).toHaveProperty('error')
    expect(log.lines.length).toBeGreaterThan(1)
    for (const hidden of ['secret', outcome.completion]) expect(log.lines.join('')).not.toContain(hidden)
  },
)

test('the fields of a line that nobody writes are not put together', async () => {
  const asked: string[] = []
  const lines: string[] = []
  const logger: Logger = {
    ...silentLogger,
    isEnabled: (level) => asked.push(level) > 0 && level === 'info',
    debug: (message) => lines.push(message),
    info: (message) => lines.push(message),
  }
  await using desk = await openDesk([FAST], { logger })
  await desk.dispatcher.onEvent({ content: 'Hi' })
  expect(asked).toEqual(['debug', 'info'])
  expect(lines).toEqual(['event ended'])
})

test('what a backend says of its failure is logged at debug, 600 characters of it, and nowhere else', async () => {
  const words = `jinja2: roles must alternate. ${'x'.repeat(900)}`
  const answer = new Response(JSON.stringify({ error: words }), { status: 400 })
  const backend = createOpenAIBackend({ url: 'http://127.0.0.1:9', fetch: async () => answer.clone() })
  for (const level of ['debug', 'info'] as const) {
    const log = logTo(level)
    await using dispatcher = createDispatcher({ backends: [backend], logger: log.logger })
    const outcome = await dispatcher.onEvent({ content: 'Hi' })
    expect(outcome).toMatchObject({ error: 'api_client_error' })
    expect(JSON.stringify(outcome)).not.toContain('jinja2')
    const said = log.records().flatMap((line) => (line as { backend_said?: string }).backend_said ?? [])
    expect(said.map((text) => [text.length, text.includes('jinja2')])).toEqual(
      level === 'debug' ? [[600, true]] : [],
    )
    expect(log.lines.filter((line) => line.includes('jinja2'))).toHaveLength(said.length)
  }
})
