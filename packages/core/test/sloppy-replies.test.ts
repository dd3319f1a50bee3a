import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { BACKENDS, bodied, END, part, rawDesk } from './raw-desk.ts'

// Replies that are right but for their heads, over sockets: what can be read is read, and what cannot says what to mend.

const whole = (content: string) =>
  JSON.stringify({ choices: [{ message: { content }, finish_reason: 'stop' }] })
const hello = whole('Hello you.')
const stream = part({ content: 'Hello you.' }) + part({}, 'stop') + END

describe.each(BACKENDS)('%s', (kind) => {
  const replyTo = async (reply: string | Buffer) => {
    await using desk = await rawDesk(kind, reply)
    const outcome = await desk.ask()
    return { outcome, calls: desk.calls() }
  }

  test.each(['utf-8', 'UTF8', 'none', 'binary', 'aws-chunked', 'br', 'deflate', 'compress'])(
    'a reply that is not compressed is read, though its head says %s',
    async (encoding) => {
      const reply = bodied(hello, 'application/json', `content-encoding: ${encoding}\r\n`)
      expect((await replyTo(reply)).outcome).toMatchObject({ completion: 'Hello you.' })
      await using desk = await rawDesk(
        kind,
        bodied(stream, 'text/event-stream', `content-encoding: ${encoding}\r\n`),
      )
      expect((await desk.stream()).outcome).toMatchObject({ completion: 'Hello you.' })
    },
  )

  test('a compression that nobody knows is named', async () => {
    const { outcome, calls } = await replyTo(
      bodied(gzipSync(hello), 'application/json', 'content-encoding: compress\r\n'),
    )
    expect(outcome).toMatchObject({
      error: 'api_response_format_error',
      details: expect.stringContaining('(compress)'),
    })
    expect(calls).toBe(1)
  })

  test.each([
    ['iso-8859-1', 'latin1', 'Grüße'],
    ['"ISO-8859-1"', 'latin1', 'Grüße'],
    ['iso-8859-1', 'utf8', 'Grüße und 漢字'],
    ['us-ascii', 'utf8', 'Grüße'],
    ['no-such-charset', 'utf8', 'Grüße'],
    ['utf-16le', 'utf16le', 'Grüße und 漢字'],
  ] as const)('text of the character set %s, written as %s, is read', async (charset, encoding, text) => {
    const body = Buffer.from(whole(text), encoding)
    const { outcome } = await replyTo(bodied(body, `application/json; charset=${charset}`))
    expect(outcome).toMatchObject({ completion: text })
  })

  test.each([
    ['a length that is too long', `content-length: ${hello.length + 9}\r\n\r\n${hello}`],
    [
      'chunks without an end',
      `transfer-encoding: chunked\r\n\r\n${hello.length.toString(16)}\r\n${hello}\r\n`,
    ],
  ])('a whole answer with %s is not thrown away', async (_, rest) => {
    const { outcome, calls } = await replyTo(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${rest}`)
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
    expect(calls).toBe(1)
  })

  const odd = hello.replace(
    '{"message"',
    '{"logprobs":{"content":[{"logprob":-Infinity}]},"score":NaN,"message"',
  )

  test.each([
    ['NaN and Infinity beside the answer', odd],
    ['a raw line feed in a text', hello.replace('"content"', '"note":"one\ntwo NaN","content"')],
    ['NUL behind it', `${hello}\n\0\0`],
    ['a comma behind it', `${hello},`],
    ['a prefix against inclusion', `)]}',\n${hello}`],
    ['a field of a gateway around it', `{"code":0,"msg":"ok","data":${hello}}`],
    ['a result around it', `{"success":true,"errors":[],"result":${hello}}`],
  ])('a whole answer with %s is read', async (_, body) => {
    expect((await replyTo(bodied(body))).outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('a stream with NaN beside its pieces is read, and text with that word stays as it is', async () => {
    const given = { content: 'NaN is "NaN"' }
    const events = part(given).replace('"delta"', '"logprobs":NaN,"delta"') + part({}, 'stop') + END
    await using desk = await rawDesk(kind, bodied(events, 'text/event-stream'))
    expect((await desk.stream()).outcome).toMatchObject({ completion: 'NaN is "NaN"' })
  })

  test.each([hello.slice(0, -2), `${hello} and more`, `${odd.slice(0, -1)},`])(
    'what is no JSON but for such things stays none',
    async (body) => {
      expect((await replyTo(bodied(body))).outcome).toMatchObject({ error: 'api_response_format_error' })
    },
  )

  test('half an answer with a length that is too long is none', async () => {
    const half = hello.slice(0, -5)
    const { outcome } = await replyTo(
      `HTTP/1.1 200 OK\r\ncontent-length: ${hello.length}\r\nconnection: close\r\n\r\n${half}`,
    )
    expect(outcome).toMatchObject({ error: 'api_connection_error' })
  })

  test.each([
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.0\r\n', 'no HTTP'],
    ['an empty reply', 'HTTP/1.1 204 No Content\r\n\r\n', 'an empty reply'],
    ['413', 'HTTP/1.1 413 X\r\ncontent-length: 0\r\n\r\n', 'client_max_body_size'],
    ['402', 'HTTP/1.1 402 X\r\ncontent-length: 0\r\n\r\n', 'no credit'],
  ])('the details of %s say what to mend', async (_, reply, words) => {
    expect((await replyTo(reply)).outcome).toMatchObject({ details: expect.stringContaining(words) })
  })

  test.each(['429 X\r\nretry-after: 1s', '529 X', '408 X', '503 Starting up'])(
    'a server that says %s is asked again',
    async (head) => {
      let calls = 0
      const more = head.startsWith('503') ? '{"error":"Server is starting up"}' : ''
      await using desk = await rawDesk(
        kind,
        (socket) => {
          calls += 1
          const busy = `HTTP/1.1 ${head}\r\ncontent-length: ${more.length}\r\nconnection: close\r\n\r\n${more}`
          socket.end(calls === 1 ? busy : bodied(hello))
        },
        { isTimed: true },
      )
      expect(await desk.ask()).toMatchObject({ completion: 'Hello you.' })
      expect(calls).toBe(2)
    },
  )

  test.each([
    [400, 'Model is currently loading, please wait.'],
    [404, 'Model x is loading, try again later'],
    [409, 'Another model is being loaded'],
    [423, 'Model loading in progress'],
    [500, 'Loading model'],
    [200, 'The model is still loading'],
  ])('a server that says with %i that it is loading is waited for: %s', async (status, message) => {
    let calls = 0
    const body = JSON.stringify({ error: { message } })
    await using desk = await rawDesk(
      kind,
      (socket) => {
        calls += 1
        const head = `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
        socket.end(calls <= 5 ? `${head}connection: close\r\n\r\n${body}` : bodied(hello))
      },
      { isTimed: true },
    )
    expect(await desk.ask()).toMatchObject({ completion: 'Hello you.' })
    expect(calls).toBe(6)
  })

  test.each([
    [400, 'Failed to load model "x". Error: Operation canceled.', 'api_client_error'],
    [400, 'Model loading was stopped due to insufficient system resources.', 'api_client_error'],
    [500, 'Error loading model: out of memory', 'api_server_error'],
  ])('a model that failed to load is not waited for: %i, %s', async (status, message, error) => {
    const body = JSON.stringify({ error: { message } })
    const head = `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
    await using desk = await rawDesk(kind, `${head}connection: close\r\n\r\n${body}`, { isTimed: true })
    expect(await desk.ask()).toMatchObject({ error })
    expect(desk.calls()).toBeLessThan(4)
  })

  test.each([
    'image input is not supported - hint: if this is unexpected, you may need to provide the mmproj',
    'At most 0 image(s) may be provided in one prompt.',
    'Cannot use tools with stream',
    'Failed to parse grammar',
  ])('what a server will never take is not repeated, though it says so with 500: %s', async (message) => {
    const body = JSON.stringify({ error: { code: 500, message, type: 'server_error' } })
    const head = `HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
    const { outcome, calls } = await replyTo(`${head}connection: close\r\n\r\n${body}`)
    expect(outcome).toMatchObject({ error: 'api_client_error' })
    expect(calls).toBe(1)
  })

  test.each([
    ['a moderation', 403, 'Your chosen model requires moderation and your input was flagged'],
    ['words of the caller in front', 400, 'No models loaded.: failed to parse the grammar'],
    ['words of the caller', 400, 'Invalid value "No models loaded. Model unloaded" for `stop`'],
  ])('a refusal with %s says nothing of the server', async (_, status, message) => {
    const body = JSON.stringify({ error: { message, code: status } })
    const reply = `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
    await using desk = await rawDesk(kind, reply)
    expect(await desk.ask()).toMatchObject({ error: 'api_client_error' })
    expect(desk.dispatcher.report().backends).toMatchObject([{ state: 'ready', breaker: 'closed' }])
  })

  test.each([
    'Input image exceeds the maximum size of 20 MB',
    'the request has more than 10 images; the maximum input is 10 images',
    'max_tokens (9000) exceeds the maximum output tokens 4096',
    'logit_bias has too many tokens: 1200 exceeds 1024',
    'context deadline exceeded',
  ])('a prompt is not called too long because of another limit: %s', async (message) => {
    const body = JSON.stringify({ error: { message } })
    const { outcome } = await replyTo(
      `HTTP/1.1 400 X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    )
    expect(outcome).toMatchObject({ error: 'api_client_error' })
  })
})
