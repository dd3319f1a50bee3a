import { describe, expect, test } from 'vitest'
import {
  BACKENDS,
  bodied,
  END,
  paced,
  part,
  type RawDeskOptions,
  type Reply,
  rawDesk,
  sse,
  streamed,
} from './raw-desk.ts'

// What servers and gateways do to streams, over sockets: the outcome is that of a caller.

const usage = { prompt_tokens: 9, completion_tokens: 5 }

describe.each(BACKENDS)('%s', (kind) => {
  const streamOf = async (reply: Reply, options: RawDeskOptions = {}) => {
    await using desk = await rawDesk(kind, reply, options)
    return { ...(await desk.stream()), calls: desk.calls() }
  }

  /** For what takes time. */
  const timedStreamOf = (reply: Reply, options: RawDeskOptions = {}) =>
    streamOf(reply, { ...options, isTimed: true })

  test.each([
    ['empty', ''],
    ['white space', ' '],
    ['the string null', 'null'],
    ['the string None', 'None'],
    ['the word none', 'none'],
    ['the word in_progress', 'in_progress'],
    ['of another type', false],
  ])('a finish reason that is %s is none', async (_, none) => {
    const reply = paced(
      part({ content: 'Hello ' }, none),
      1300,
      part({ content: 'world.' }, none),
      part({}, 'stop'),
      END,
    )
    const { outcome, text } = await timedStreamOf(reply)
    expect(outcome).toMatchObject({ completion: 'Hello world.', finish_reason: 'stop' })
    expect(text).toBe('Hello world.')
  })

  test.each([
    ['a byte order mark', '\uFEFF'],
    ['a space', ' '],
    ['a tab', '\t'],
    ['a byte order mark and a line end', '\uFEFF\n'],
  ])('no text is lost where %s stands before each event', async (_, noise) => {
    const events = [part({ content: 'Hello ' }), part({ content: 'world.' }), part({}, 'stop'), END]
    const { outcome, text } = await streamOf(streamed(...events.map((event) => noise + event)))
    expect(outcome).toMatchObject({ completion: 'Hello world.', finish_reason: 'stop' })
    expect(text).toBe('Hello world.')
  })

  test.each([1, '1'])(
    'another answer of the same stream (%o) neither mixes with ours nor ends it',
    async (index) => {
      const other = (delta: object, finish_reason: string | null = null) =>
        sse({ choices: [{ index, delta, finish_reason }] })
      const reply = paced(
        part({ content: 'Hello ' }),
        other({ content: 'Good day.' }),
        other({}, 'stop'),
        1300,
        part({ content: 'world.' }),
        part({}, 'stop'),
        END,
      )
      const { outcome, text } = await timedStreamOf(reply)
      expect(outcome).toMatchObject({ completion: 'Hello world.', finish_reason: 'stop' })
      expect(text).toBe('Hello world.')
    },
  )

  test.each(['', 'none', 'NULL', 'undefined', 'in_progress', 'IN-PROGRESS', 'not_finished', 'continue'])(
    'a stream that says "%s" in place of a finish reason and just ends is interrupted',
    async (none) => {
      const { outcome } = await streamOf(
        streamed(part({ content: 'Hello ' }, none), part({ content: 'wor' }, none)),
      )
      expect(outcome).toMatchObject({ error: 'api_stream_interrupted', partial: 'Hello wor' })
    },
  )

  test.each([
    ['usage without choices', sse({ id: 'c1', object: 'chat.completion.chunk', usage })],
    ['usage with choices that are null', sse({ choices: null, usage })],
    ['usage with no choice', sse({ choices: [], usage })],
  ])('%s after the finish reason is read', async (_, last) => {
    const { outcome } = await streamOf(streamed(part({ content: 'All of it.' }), part({}, 'stop'), last, END))
    expect(outcome).toMatchObject({ completion: 'All of it.', usage })
  })

  test.each([
    ['half an event', 'data: {"choices":[{"del\n\n'],
    ['a text', 'data: bye\n\n'],
    ['null', 'data: null\n\n'],
    ['choices of another shape', sse({ choices: 'none' })],
    ['a line without an end', `data: ${'x'.repeat(2 * 1024 * 1024)}`],
  ])('%s after the finish reason spoils nothing', async (_, last) => {
    const { outcome } = await streamOf(streamed(part({ content: 'All of it.' }), part({}, 'stop'), last))
    expect(outcome).toMatchObject({ completion: 'All of it.', finish_reason: 'stop' })
  })

  test.each([
    ['a ping', 'event: ping\ndata: {"type":"ping"}\n\n'],
    ['an unnamed ping', sse({ type: 'ping' })],
    ['a ping that is no JSON', 'event: heartbeat\ndata: alive at noon\n\n'],
    ['a word', 'data: keep-alive\n\n'],
    ['no data', 'data:\n\n'],
    ['no data but a space', 'data:  \n\n'],
    ['an empty object', sse({})],
    ['a number', 'data: 7\n\n'],
    ['an unknown event', 'event: metadata\ndata: {"region":"eu"}\n\n'],
    ['an unknown object', sse({ conversation: 'c1' })],
    ['an event of its own kind with details', 'event: progress\ndata: {"detail":"reading the prompt"}\n\n'],
    ['a comment', ': OPENROUTER PROCESSING\n\n'],
    ['an empty error beside text', part({ content: '' }, null, { error: null })],
    ['an id and a time to come back', 'id: 7\nretry: 3000\n\n'],
  ])('%s is passed over, before and between the events', async (_, ping) => {
    const events = [
      ping,
      part({ content: 'Hello ' }),
      ping,
      part({ content: 'you.' }),
      ping,
      part({}, 'stop'),
      ping,
      END,
    ]
    const { outcome, text, calls } = await streamOf(streamed(...events))
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
    expect([text, calls]).toEqual(['Hello you.', 1])
  })

  test('pings do not make up for tokens that do not come', async () => {
    const pings = Array.from({ length: 30 }, () => [100, sse({ type: 'ping' })]).flat()
    const { outcome } = await timedStreamOf(paced(part({ content: 'Hello' }), ...pings), {
      tokenTimeoutMs: 1000,
    })
    expect(outcome).toMatchObject({ error: 'api_timeout', partial: 'Hello' })
  })

  const tooLong = {
    code: 400,
    message: 'the request exceeds the available context size',
    type: 'exceed_context_size_error',
  }

  test.each([
    ['a field named error', `error: ${JSON.stringify(tooLong)}\n\n`],
    ['such a field without a space or an end', `error:${JSON.stringify(tooLong)}`],
    ['such a field with an object around it', `error: ${JSON.stringify({ error: tooLong })}\n\n`],
    ['an event named error', `event: error\ndata: ${JSON.stringify(tooLong)}\n\n`],
    ['an error object', sse({ error: tooLong })],
    ['an error that is a text', sse({ error: 'the request exceeds the available context size' })],
    ['an error of FastAPI', sse({ detail: 'the request exceeds the available context size' })],
    [
      'an error of older vLLM',
      sse({
        object: 'error',
        message: 'This exceeds the maximum context length',
        type: 'BadRequestError',
        code: 400,
      }),
    ],
  ])('%s is read for its reason: one call', async (_, error) => {
    const first = await streamOf(streamed(error))
    expect(first.outcome).toMatchObject({
      error: 'context_length_exceeded',
      attempts: [{ endpoint: 'chat' }],
    })
    expect(first.calls).toBe(1)
    const later = await streamOf(streamed(part({ content: 'Hello' }), error))
    expect(later.outcome).toMatchObject({ error: 'context_length_exceeded', partial: 'Hello' })
  })

  test.each([
    ['a field named error, cut into bytes', 'error: {"code":500,"message":"my secret"}\n\n'],
    [
      'a field named error without a blank line',
      'error: {"code":500,"message":"my secret"}\ndata: [DONE]\n\n',
    ],
    ['a field that is a text', 'error: my secret\n\n'],
    ['a line of JSON', '{"error":{"message":"my secret"}}\n\n'],
    ['an event named error without data', 'event: error\ndata:\n\n'],
  ])('%s ends a stream that goes on otherwise, and is not quoted', async (_, error) => {
    const { outcome } = await streamOf(async (socket) => {
      socket.setNoDelay(true)
      socket.write(streamed(part({ content: 'Hello' })))
      for (const byte of error) {
        await new Promise((resolve) => setImmediate(resolve))
        socket.write(byte)
      }
      socket.end(part({ content: ' again' }) + END)
    })
    expect(outcome).toMatchObject({ error: 'api_response_structure_error', partial: 'Hello' })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  test('an error in a plain reply with status 200 is read for its reason: one call', async () => {
    await using desk = await rawDesk(kind, bodied(JSON.stringify({ error: tooLong })))
    expect(await desk.ask()).toMatchObject({
      error: 'context_length_exceeded',
      attempts: [{ endpoint: 'chat' }],
    })
    expect(desk.calls()).toBe(1)
  })

  const events = part({ content: 'Hello ' }) + part({ content: 'you.' }) + part({}, 'stop') + END

  test.each([
    ['application/json', events],
    ['application/json', `: hello\n\n${events}`],
    ['application/json', `\uFEFF\r\n event: message\n${events}`],
    ['text/html', events],
    ['text/plain; charset=utf-8', `id: 1\n${events}`],
    ['application/octet-stream', `retry: 10\n${events}`],
  ])('a stream is one whatever its type says (%s)', async (type, body) => {
    const { outcome, text } = await streamOf(bodied(body, type))
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
    expect(text).toBe('Hello you.')
  })

  test('a stream of another type is known by its first characters, however they come', async () => {
    const { outcome } = await streamOf(async (socket) => {
      socket.setNoDelay(true)
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n')
      for (const byte of events) {
        await new Promise((resolve) => setImmediate(resolve))
        socket.write(byte)
      }
      socket.end()
    })
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  const whole = JSON.stringify({ choices: [{ message: { content: 'Whole.' }, finish_reason: 'stop' }] })

  test.each([
    ['text/event-stream', whole],
    ['text/plain', `\n\n  ${whole}`],
    ['application/json', `${' '.repeat(3000)}${whole}`],
  ])('an answer in one piece is one whatever its type says (%s)', async (type, body) => {
    const { outcome, text } = await streamOf(bodied(body, type))
    expect(outcome).toMatchObject({ completion: 'Whole.' })
    expect(text).toBe('Whole.')
  })

  test.each([
    ['text/event-stream', events],
    ['text/event-stream; charset=utf-8', `: hello\n\n${events}`],
    ['application/json', events],
    ['', `\uFEFF${events}`],
  ])(
    'a caller who wants one piece gets the answer of a server that streams to everybody (%s)',
    async (type, body) => {
      await using desk = await rawDesk(kind, bodied(body, type))
      expect(await desk.ask()).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
      expect(desk.calls()).toBe(1)
    },
  )

  test.each([
    [
      'with an end mark',
      `${part({ content: 'Hello ' })}${part({ content: 'you.' })}${part({}, 'stop')}${END}`,
    ],
    ['without one', `${part({ content: 'Hello ' })}${part({ content: 'you.' }, 'stop')}`],
  ])('a stream of JSON lines is one, %s', async (_, given) => {
    const lines = given.replaceAll(/^data: /gm, '').replaceAll('\n\n', '\n')
    for (const type of ['application/x-ndjson', 'application/json', 'text/event-stream']) {
      const { outcome, text } = await streamOf(bodied(lines, type))
      expect([outcome, text]).toMatchObject([{ completion: 'Hello you.' }, 'Hello you.'])
      await using desk = await rawDesk(kind, bodied(lines, type))
      expect(await desk.ask()).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
    }
    const half = lines.slice(0, lines.indexOf('\n') + 1).repeat(2)
    expect((await streamOf(bodied(half))).outcome).toMatchObject({ error: 'api_stream_interrupted' })
    const failed = `${lines.slice(0, lines.indexOf('\n') + 1)}${JSON.stringify({ error: tooLong })}\n`
    expect((await streamOf(bodied(failed))).outcome).toMatchObject({ error: 'context_length_exceeded' })
  })

  test('such a stream that has an error or breaks off is no answer', async () => {
    const half = part({ content: 'Hello ' })
    await using refusing = await rawDesk(kind, streamed(half, sse({ error: tooLong })))
    expect(await refusing.ask()).toMatchObject({ error: 'context_length_exceeded', partial: 'Hello ' })
    await using dying = await rawDesk(kind, streamed(half))
    expect(await dying.ask()).toMatchObject({ error: 'api_stream_interrupted', partial: 'Hello ' })
  })

  test('such a stream is whole at its end mark, though the connection stays open', async () => {
    await using desk = await rawDesk(kind, (socket) => {
      socket.write(streamed(events))
    })
    expect(await desk.ask()).toMatchObject({ completion: 'Hello you.' })
  })

  test('null in place of a stream is a generation that failed, whatever its type says', async () => {
    const { outcome, calls } = await streamOf(bodied('null', 'text/event-stream'))
    expect(outcome).toMatchObject({ error: 'api_response_structure_error' })
    expect(calls).toBe(1)
  })

  test('a stream that dies after the role has broken off, whatever stood before', async () => {
    const { outcome } = await streamOf(streamed(sse({ id: 'x' }), part({ role: 'assistant', content: null })))
    expect(outcome).toMatchObject({ error: 'api_stream_interrupted' })
  })

  test.each([
    ['text/html', '<!doctype html><html><body>Sign in</body></html>'],
    ['text/event-stream', '<html>Sign in</html>'],
    ['text/plain', 'It works!'],
  ])('a page instead of a stream is no interruption (%s)', async (type, body) => {
    const { outcome, calls } = await streamOf(bodied(body, type))
    expect(outcome).toMatchObject({ error: 'api_response_format_error' })
    expect(calls).toBe(1)
    if (body.startsWith('<')) expect(outcome).toMatchObject({ details: expect.stringContaining('web page') })
  })

  test.each([
    ['text', [{ content: 'Hello ' }, { content: 'world.' }]],
    [
      'an empty first event',
      [{ role: 'assistant', content: '' }, { content: 'Hello ' }, { content: 'world.' }],
    ],
    ['reasoning first', [{ reasoning_content: 'Hm' }, { content: 'Hello ' }, { content: 'world.' }]],
  ])('a reason in every event ends nothing (%s)', async (_, deltas) => {
    const pieces = deltas.flatMap((delta) => [part(delta, 'stop'), 1300])
    const { outcome, text } = await timedStreamOf(paced(...pieces, END))
    expect(outcome).toMatchObject({ completion: 'Hello world.', finish_reason: 'stop' })
    expect(text).toBe('Hello world.')
  })

  test.each([
    ['reasoning', { reasoning_content: 'Hm' }],
    ['parts of thoughts', { content: [{ type: 'thinking', thinking: 'Hm' }] }],
  ])('a reason beside every piece of text, and beside no thoughts, ends nothing (%s)', async (_, thought) => {
    const first = [part(thought), part({ content: 'Hello ' }, 'stop'), 1300]
    const { outcome } = await timedStreamOf(paced(...first, part({ content: 'world.' }, 'stop'), END))
    expect(outcome).toMatchObject({ completion: 'Hello world.', reasoning: 'Hm', finish_reason: 'stop' })
  })

  test('a reason alone after thoughts is the end', async () => {
    const open: Reply = (socket) => {
      socket.write(streamed(part({ reasoning_content: 'Hm' }), part({}, 'length')))
    }
    const { outcome } = await timedStreamOf(open)
    expect(outcome).toMatchObject({ completion: '', reasoning: 'Hm' })
  })

  test('text that comes after a finish reason takes it back', async () => {
    const pieces = [
      part({ content: 'a ' }),
      part({ content: 'b ' }, 'stop'),
      200,
      part({ content: 'c ' }, 'stop'),
      1300,
    ]
    const { outcome } = await timedStreamOf(paced(...pieces, part({ content: 'd' }, 'stop'), END))
    expect(outcome).toMatchObject({ completion: 'a b c d' })
  })

  test('a reason that stands alone after one that was none is right where the stream stays open', async () => {
    const open: Reply = (socket) => {
      socket.write(streamed(part({ content: 'Hello ' }, 'stop'), part({ content: 'you.' }), part({}, 'stop')))
    }
    const { outcome } = await timedStreamOf(open, { tokenTimeoutMs: 1000 })
    expect(outcome).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
  })

  test('an answer of one event is whole where its stream ends without an end mark', async () => {
    const { outcome } = await streamOf(streamed(part({ content: 'Yes.' }, 'stop')))
    expect(outcome).toMatchObject({ completion: 'Yes.', finish_reason: 'stop' })
  })

  test('an answer of one event is whole where its stream stays open for longer than a token may take', async () => {
    const open: Reply = (socket) => {
      socket.write(streamed(part({ content: 'Yes.' }, 'stop')))
    }
    const { outcome } = await timedStreamOf(open, { tokenTimeoutMs: 1000 })
    expect(outcome).toMatchObject({ completion: 'Yes.', finish_reason: 'stop' })
  })

  test('a stream that writes a reason into every event and breaks off is not whole', async () => {
    // A reset may overtake what nobody has read yet, so it waits until the caller has it.
    const read = Promise.withResolvers<void>()
    await using desk = await rawDesk(kind, async (socket) => {
      const event = part({ content: 'Hello ' }, 'stop')
      const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
      socket.write(`${head}${event.length.toString(16)}\r\n${event}\r\n`)
      await read.promise
      socket.resetAndDestroy()
    })
    const { outcome } = await desk.stream({}, read.resolve)
    expect(outcome).toMatchObject({ error: 'api_stream_interrupted', partial: 'Hello ' })
  })
})
