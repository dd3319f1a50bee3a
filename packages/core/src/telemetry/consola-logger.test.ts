import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { createConsolaLogger } from './consola-logger.ts'

function listStream(isTTY = false) {
  const lines: string[] = []
  return { lines, isTTY, write: (text: string) => lines.push(text) }
}

test('writes one JSON object a line when the stream is no terminal', () => {
  const stream = listStream()
  createConsolaLogger({ stream }).info('answered', { event_id: 'evt_1', prompt_tokens: 3, api_key: 'k' })
  expect(stream.lines).toHaveLength(1)
  expect(stream.lines[0]).toMatch(/^\{"time":"[^"]+Z","level":"info","message":"answered",.*\}\n$/)
  expect(JSON.parse(stream.lines[0] ?? '')).toMatchObject({
    event_id: 'evt_1',
    prompt_tokens: 3,
    api_key: '[redacted]',
  })
})

test('writes readable text on a terminal, one line whatever the text holds', () => {
  const stream = listStream(true)
  createConsolaLogger({ stream }).warn('slow\nINFO forged \u001b[2J', { backend: 'kobold', why: 'two words' })
  expect(stream.lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}slow\\nINFO forged \\u001b\[2J backend=kobold why="two words"\n$/,
  )
})

test('writes every one of many equal lines', () => {
  const stream = listStream()
  const logger = createConsolaLogger({ stream })
  for (let count = 0; count < 50; count += 1) logger.info('the same')
  expect(stream.lines).toHaveLength(50)
})

test.each([
  ['silent', []],
  ['error', ['error']],
  ['warn', ['warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['debug', ['debug', 'info', 'warn', 'error']],
] as const)('at level %s writes %j', (level, expected) => {
  const stream = listStream()
  const logger = createConsolaLogger({ stream, level })
  const levels = ['debug', 'info', 'warn', 'error'] as const
  for (const method of levels) logger[method]('line')
  expect(levels.filter((line) => logger.isEnabled?.(line))).toEqual(expected)
  expect(stream.lines.map((line) => JSON.parse(line).level)).toEqual(expected)
})

test('fields cannot forge the head of a line', () => {
  const stream = listStream()
  createConsolaLogger({ stream }).info('real', {
    level: 'error',
    message: 'forged',
    time: 'never',
    args: [1],
  })
  expect(JSON.parse(stream.lines[0] ?? '')).toMatchObject({ level: 'info', message: 'real', args: [1] })
})

test('a stream that breaks does not end the program', () => {
  const stream = Object.assign(new EventEmitter(), { write: () => true })
  createConsolaLogger({ stream }).info('line')
  expect(() => stream.emit('error', new Error('EPIPE'))).not.toThrow()
})
