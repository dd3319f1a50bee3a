import {
  brotliCompressSync,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { answered, BACKENDS, bodied, END, part, type Reply, rawDesk, streamed } from './raw-desk.ts'

// What proxies do to replies on their way, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const streamOf = async (reply: Reply) => {
    await using desk = await rawDesk(kind, reply)
    return { ...(await desk.stream()), calls: desk.calls() }
  }
  const whole = JSON.stringify({ choices: [{ message: { content: 'Whole.' }, finish_reason: 'stop' }] })
  const events = part({ content: 'Hello ' }) + part({ content: 'you.' }) + part({}, 'stop') + END

  const continued = 'HTTP/1.1 100 Continue\r\n\r\n'

  test.each([
    ['100', continued],
    ['100 with a header', 'HTTP/1.1 100 Continue\r\ndate: today\r\n\r\n'],
    ['100 twice', continued + continued],
    ['102 and 103', 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'],
    ['103 and 100', `HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n${continued}`],
  ])('%s in front of the reply is passed over', async (_, informational) => {
    const joined = Buffer.concat([Buffer.from(informational), answered({ content: 'HTTP/1.1 100 Continue' })])
    await using plain = await rawDesk(kind, joined)
    expect(await plain.ask()).toMatchObject({ completion: 'HTTP/1.1 100 Continue' })
    expect(plain.calls()).toBe(1)
    const { outcome } = await streamOf(async (socket) => {
      socket.setNoDelay(true)
      for (const byte of informational + streamed(events).slice(0, 30)) {
        await new Promise((resolve) => setImmediate(resolve))
        socket.write(byte)
      }
      socket.end(streamed(events).slice(30))
    })
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('a kept connection whose next reply follows a 100 is read on', async () => {
    await using desk = await rawDesk(kind, (socket) => {
      const body = answered({ content: 'One.' })
        .toString()
        .replace('connection: close', 'connection: keep-alive')
      socket.write(continued + body)
    })
    for (let round = 0; round < 3; round++) expect(await desk.ask()).toMatchObject({ completion: 'One.' })
    expect(desk.calls()).toBe(3)
  })

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['identity', (text: string) => Buffer.from(text)],
    ['gzip', (text: string) => Buffer.from(text)],
    ['gzip, br', (text: string) => brotliCompressSync(gzipSync(text))],
  ] as const)('a reply that was compressed unasked is read (%s)', async (encoding, compress) => {
    const more = `content-encoding: ${encoding}\r\n`
    await using plain = await rawDesk(kind, bodied(compress(whole), 'application/json', more))
    expect(await plain.ask()).toMatchObject({ completion: 'Whole.' })
    const { outcome } = await streamOf(bodied(compress(events), 'text/event-stream', more))
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('a compressed stream is handed on piece by piece', async () => {
    let finish = () => {}
    await using desk = await rawDesk(kind, async (socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n',
      )
      const gzip = createGzip()
      gzip.pipe(socket)
      gzip.write(part({ content: 'Hello ' }))
      gzip.flush()
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      gzip.end(part({ content: 'you.' }) + part({}, 'stop') + END)
    })
    const seen: string[] = []
    for await (const event of desk.dispatcher.streamEvent({ content: 'Hello' })) {
      if (event.type !== 'delta') continue
      seen.push(event.text)
      finish()
    }
    expect(seen).toEqual(['Hello ', 'you.'])
  })

  test.each([
    ['compress', 'compress'],
    ['gzip, dcb', 'dcb'],
  ])('a compression that cannot be undone is named: one call (%s)', async (encoding, named) => {
    const more = `content-encoding: ${encoding}\r\n`
    await using plain = await rawDesk(kind, bodied('\x1f\x9dxyz', 'application/json', more))
    const expected = { error: 'api_response_format_error', details: expect.stringContaining(named) }
    expect(await plain.ask()).toMatchObject(expected)
    const { outcome, calls } = await streamOf(bodied('\x1f\x9dxyz', 'text/event-stream', more))
    expect(outcome).toMatchObject(expected)
    expect([plain.calls(), calls]).toEqual([1, 1])
  })

  test('what unpacks to more than a reply may hold is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024, ' '))
    await using plain = await rawDesk(kind, bodied(bomb, 'application/json', 'content-encoding: gzip\r\n'))
    expect(await plain.ask()).toMatchObject({
      error: 'api_response_structure_error',
      details: expect.stringContaining('64 MiB'),
    })
  })

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)(
    'what had come of a compressed stream counts where the connection breaks (%s)',
    async (encoding, compress) => {
      const body = compress(events)
      const cut = (bytes: Buffer) =>
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${body.length + 9}\r\n\r\n`,
          ),
          bytes,
        ])
      const whole = await streamOf(cut(body))
      expect(whole.outcome).toMatchObject({ completion: 'Hello you.' })
    },
  )

  test('a body that is damaged says so', async () => {
    const damaged = gzipSync(whole.repeat(20))
    damaged.fill(0xff, 20, 40)
    await using plain = await rawDesk(kind, bodied(damaged, 'application/json', 'content-encoding: gzip\r\n'))
    expect(await plain.ask()).toMatchObject({
      error: 'api_response_format_error',
      details: expect.stringContaining('gzip'),
    })
    expect(plain.calls()).toBe(1)
  })
})
