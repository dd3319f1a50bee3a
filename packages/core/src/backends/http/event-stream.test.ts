import { expect, test } from 'vitest'
import { EventTooLongError, readEventStream } from './read-reply.ts'

async function* reads(...parts: (string | Uint8Array)[]) {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
}

async function collect(...parts: (string | Uint8Array)[]): Promise<string[]> {
  const events: string[] = []
  for await (const { data } of readEventStream(reads(...parts))) events.push(data)
  return events
}

test.each([
  ['two events in one read', ['data: a\n\ndata: b\n\n'], ['a', 'b']],
  ['an event in three reads', ['da', 'ta: a\n', '\n'], ['a']],
  ['CRLF', ['event: message\r\ndata: a\r\n\r\n'], ['a']],
  ['CRLF cut in the middle', ['data: a\r', '\n\r', '\ndata: b\r\n\r\n'], ['a', 'b']],
  ['comments', [': ping\n\ndata: a\n\n: pong\n\n'], ['a']],
  ['no space after the colon', ['data:a\n\n'], ['a']],
  ['a byte order mark', ['\uFEFFdata: a\n\n'], ['a']],
  ['data on two lines', ['data: a\ndata: b\n\n'], ['a\nb']],
  ['an end without a blank line', ['data: {"token": "a"}\n'], ['{"token": "a"}']],
  ['an end without a line end', ['data: {"token": "a"}'], ['{"token": "a"}']],
  ['an end within an event', ['data: a\n\ndata: {"tok'], ['a']],
  ['DONE with a blank line', ['data: a\n\ndata: [DONE]\n\n'], ['a', '[DONE]']],
  ['DONE without a line end', ['data: a\n\ndata: [DONE]'], ['a', '[DONE]']],
  ['DONE in two reads without a line end', ['data: a\n\ndata: [D', 'ONE]'], ['a', '[DONE]']],
  ['DONE after carriage returns, without a line end', ['data: a\r\rdata: [DONE]'], ['a', '[DONE]']],
  ['nothing at all', [], []],
])('%s', async (_, parts, expected) => {
  expect(await collect(...parts)).toEqual(expected)
})

test('a letter of several bytes may be cut between reads', async () => {
  const bytes = Buffer.from('data: Zoë 😀\n\n')
  expect(await collect(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(['Zoë 😀'])
})

test.each(['\n\n', '\r\n\r\n', '\r\r'])(
  'DONE without a line end is delivered before the connection breaks (%j)',
  async (end) => {
    async function* broken() {
      yield Buffer.from(`data: a${end}data: [DONE]`)
      throw new Error('broken')
    }
    const seen: string[] = []
    const reading = (async () => {
      for await (const { data } of readEventStream(broken())) seen.push(data)
    })()
    await expect(reading).rejects.toThrow('broken')
    expect(seen).toEqual(['a', '[DONE]'])
  },
)

test('DONE without a line end is delivered before the connection closes', async () => {
  async function* open() {
    yield Buffer.from('data: [DONE]')
    await new Promise(() => {})
  }
  const events = readEventStream(open())
  expect(await events.next()).toMatchObject({ done: false, value: { data: '[DONE]' } })
})

test('a line without end is refused once it is longer than a megabyte', async () => {
  let sent = 0
  async function* endless() {
    yield Buffer.from('data: ')
    for (;;) {
      sent++
      yield Buffer.alloc(65_536, 'x')
    }
  }
  const events = readEventStream(endless())
  await expect(events.next()).rejects.toBeInstanceOf(EventTooLongError)
  expect(sent).toBeLessThanOrEqual(17)
})

test('what came before a broken connection is delivered first', async () => {
  async function* broken() {
    yield Buffer.from('data: a\n\nda')
    throw new Error('reset')
  }
  const events = readEventStream(broken())
  expect((await events.next()).value).toMatchObject({ data: 'a' })
  await expect(events.next()).rejects.toThrow('reset')
})
