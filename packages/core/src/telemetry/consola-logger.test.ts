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

test('the level can be changed while it writes', () => {
  const stream = listStream()
  const logger = createConsolaLogger({ stream, level: 'warn' })
  logger.info('before')
  logger.setLevel('info')
  expect(logger.isEnabled?.('info')).toBe(true)
  logger.info('between')
  logger.setLevel('silent')
  logger.error('after')
  expect(stream.lines.map((line) => JSON.parse(line).message)).toEqual(['between'])
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

/** A pipe: it takes lines until `capacity` of them wait, and no more until they are read. */
function pipe(capacity: number) {
  const taken: string[] = []
  let waiting = 0
  let onDrain: (() => void) | undefined
  return {
    taken,
    stream: {
      write(line: string) {
        taken.push(line)
        waiting += 1
      },
      get writableNeedDrain() {
        return waiting >= capacity
      },
      once(_event: 'drain', listener: () => void) {
        onDrain = listener
      },
    },
    read() {
      waiting = 0
      const listener = onDrain
      onDrain = undefined
      listener?.()
    },
  }
}

test('lines that nobody reads are bounded: the oldest go, and a line says how many', () => {
  const { stream, taken, read } = pipe(4)
  const logger = createConsolaLogger({ stream, json: true })
  const long = 'x'.repeat(1_000)
  for (let index = 0; index < 5_000; index++) logger.info(`line ${index}`, { long })
  expect(taken).toHaveLength(4)
  for (let round = 0; round < 1_000; round++) read()
  logger.info('after it')
  const records = taken.map(
    (line) => JSON.parse(line) as { message: string; dropped?: number; level: string },
  )
  const lines = records.filter(({ message }) => message.startsWith('line'))
  const notices = records.filter(({ dropped }) => dropped !== undefined)
  expect(notices).toMatchObject([{ level: 'warn', dropped: 5_000 - lines.length }])
  expect(lines.length).toBeGreaterThan(500)
  expect(lines.length).toBeLessThan(1_100)
  expect(lines.slice(0, 4).map(({ message }) => message)).toEqual(['line 0', 'line 1', 'line 2', 'line 3'])
  expect(lines.at(-1)?.message).toBe('line 4999')
  expect(records.at(-1)?.message).toBe('after it')
})
