import type { Socket } from 'node:net'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { BACKENDS, bodied, END, part, type Reply, rawDesk, sse } from './raw-desk.ts'

// A reply without a length that ends with its connection, over sockets. One that breaks off must never be a shorter
// answer: only a server that closes in good order has said all that it had to say.

const ENDS = {
  /** What the client has not read yet is lost: turns of the event loop that both share, and a little time for the kernel. */
  reset: async (socket: Socket) => {
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    await delay(10)
    socket.resetAndDestroy()
  },
  'a clean end': async (socket: Socket) => {
    socket.end()
  },
}

const ending =
  (body: string, end: (socket: Socket) => Promise<void>, type = 'text/event-stream'): Reply =>
  async (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nconnection: close\r\n\r\n${body}`)
    await end(socket)
  }

const whole = JSON.stringify({ choices: [{ message: { content: 'Hello you.' }, finish_reason: 'stop' }] })
const nativeWhole = JSON.stringify({ results: [{ text: 'Hello you.', finish_reason: 'stop' }] })
const native = (token: string, finish_reason: string | null = null) =>
  `event: message\n${sse({ token, finish_reason })}`
const interrupted = { error: 'api_stream_interrupted', partial: 'Hello ' }

describe.each(BACKENDS)('%s', (kind) => {
  const streamOf = async (...given: Parameters<typeof ending>) => {
    await using desk = await rawDesk(kind, ending(...given))
    return (await desk.stream()).outcome
  }
  const askFor = async (...given: Parameters<typeof ending>) => {
    await using desk = await rawDesk(kind, ending(...given))
    return await desk.ask()
  }

  describe.each(Object.entries(ENDS))('%s', (_, end) => {
    test.each([
      ['before a finish reason', part({ content: 'Hello ' })],
      ['within an event', part({ content: 'Hello ' }) + part({ content: 'you.' }, 'stop').slice(0, 40)],
      ['behind an empty reason', part({ content: 'Hello ' }, '')],
    ])('of a stream %s is no answer', async (__, body) => {
      expect(await streamOf(body, end)).toMatchObject(interrupted)
      expect(await askFor(body, end)).toMatchObject(interrupted)
    })

    test('of a plain answer that is cut is no answer', async () => {
      for (const length of [1, 30, whole.length - 1]) {
        const body = whole.slice(0, length)
        expect(await askFor(body, end, 'application/json')).toMatchObject({ error: expect.any(String) })
        expect(await streamOf(body, end, 'application/json')).toMatchObject({ error: expect.any(String) })
      }
    })

    test('of a plain answer that is whole spoils nothing', async () => {
      expect(await askFor(whole, end, 'application/json')).toMatchObject({ completion: 'Hello you.' })
      expect(await streamOf(whole, end, 'application/json')).toMatchObject({ completion: 'Hello you.' })
    })

    test('of a stream behind its finish reason or its end mark spoils nothing', async () => {
      const events = part({ content: 'Hello ' }) + part({ content: 'you.' }) + part({}, 'stop')
      for (const body of [events, events + END]) {
        expect(await streamOf(body, end)).toMatchObject({ completion: 'Hello you.' })
        expect(await askFor(body, end)).toMatchObject({ completion: 'Hello you.' })
      }
    })
  })

  test.each([
    ['one event', [part({ content: 'Hello ' }, 'stop')]],
    ['several events', [part({ content: 'Hel' }, 'stop'), part({ content: 'lo ' }, 'stop')]],
    ['thoughts before', [part({ reasoning: 'Hm' }), part({ content: 'Hello ' }, 'stop')]],
  ])('a reset of a stream that writes a reason into every event is no answer (%s)', async (_, events) => {
    expect(await streamOf(events.join(''), ENDS.reset)).toMatchObject(interrupted)
    expect(await askFor(events.join(''), ENDS.reset)).toMatchObject(interrupted)
  })

  test('a clean end of such a stream is its end', async () => {
    const events = part({ content: 'Hello ' }, 'stop') + part({ content: 'you.' }, 'stop')
    expect(await streamOf(events, ENDS['a clean end'])).toMatchObject({ completion: 'Hello you.' })
  })

  test('a reset of what is no JSON says that the connection broke', async () => {
    const outcome = await askFor(whole.slice(0, 40), ENDS.reset, 'application/json')
    expect(outcome).toMatchObject({ error: 'api_connection_error' })
  })
})

const ENCODERS = {
  gzip: createGzip,
  deflate: createDeflate,
  br: createBrotliCompress,
  zstd: createZstdCompress,
}

describe.each(Object.entries(ENCODERS))('%s', (encoding, encoder) => {
  /** The bytes of a body whose server dies before it has ended the compression. */
  const unfinished = async (body: string): Promise<Buffer> => {
    const stream = encoder()
    const bytes: Buffer[] = []
    stream.on('data', (piece: Buffer) => bytes.push(piece))
    stream.write(body)
    await new Promise<void>((resolve) => stream.flush(resolve))
    return Buffer.concat(bytes)
  }
  const outcomeOf = async (body: string, type: string) => {
    const more = `content-encoding: ${encoding}\r\n`
    await using desk = await rawDesk('openai', bodied(await unfinished(body), type, more))
    return (await desk.stream()).outcome
  }

  test('a compressed stream that stops within its compression has broken off, however cleanly', async () => {
    const events = part({ content: 'Hel' }, 'stop') + part({ content: 'lo ' }, 'stop')
    expect(await outcomeOf(events, 'text/event-stream')).toMatchObject(interrupted)
  })

  test('what is whole by itself stays whole', async () => {
    const events = part({ content: 'Hello you.' }) + part({}, 'stop') + END
    expect(await outcomeOf(events, 'text/event-stream')).toMatchObject({ completion: 'Hello you.' })
    expect(await outcomeOf(whole, 'application/json')).toMatchObject({ completion: 'Hello you.' })
  })
})

describe.each(Object.entries(ENDS))('kobold, native: %s', (_, end) => {
  const desk = (body: string, type?: string) =>
    rawDesk('kobold', ending(body, end, type), { endpoint: 'native' })

  test('of a stream before its finish reason is no answer', async () => {
    await using cut = await desk(native('Hel') + native('lo '))
    expect((await cut.stream()).outcome).toMatchObject(interrupted)
    await using older = await desk(native('Hello ', 'null'))
    expect((await older.stream()).outcome).toMatchObject(interrupted)
    await using none = await desk('')
    expect((await none.stream()).outcome).toMatchObject({ error: expect.any(String) })
  })

  test('of a stream behind its finish reason, and of a whole answer, spoils nothing', async () => {
    await using stream = await desk(native('Hello ') + native('you.') + native('', 'stop'))
    expect((await stream.stream()).outcome).toMatchObject({ completion: 'Hello you.' })
    await using plain = await desk(nativeWhole, 'application/json')
    expect(await plain.ask()).toMatchObject({ completion: 'Hello you.' })
    await using cut = await desk(nativeWhole.slice(0, -1), 'application/json')
    expect(await cut.ask()).toMatchObject({ error: expect.any(String) })
  })
})
