import { describe, expect, test } from 'vitest'
import { answered, asking, BACKENDS, bodied, END, part, rawDesk, sse } from './raw-desk.ts'

// Errors with status 200 in the shapes of servers and gateways, and what only looks like one, over sockets.

const hello = part({ content: 'Hello ' })
const upstream = { code: 502, message: 'my secret' }

describe.each(BACKENDS)('%s', (kind) => {
  const { streamOf } = asking(kind)

  const replyTo = async (reply: unknown) => {
    await using desk = await rawDesk(kind, bodied(JSON.stringify(reply)))
    return await desk.ask()
  }

  test.each([
    ['a list of errors', { errors: [{ message: 'my secret' }] }],
    ['a status in words', { status: 'error', message: 'my secret' }],
    ['no success', { success: false, message: 'my secret' }],
    ['a code and words', { code: 500, msg: 'my secret' }],
    ['a status code and words', { status: '503', message: 'my secret' }],
    ['a type', { type: 'Error', message: 'my secret' }],
    ['words alone', { message: 'my secret request timed out' }],
    ['words with the id of the request', { message: 'Internal server error: my secret', requestId: 'r1' }],
    ['a status of another name', { statusCode: 502, message: 'my secret' }],
    ['problem details', { type: 'about:blank', title: 'my secret', status: 502 }],
    ['a code of another name', { error_code: 50001, text: 'my secret' }],
    ['words of another name', { errorMessage: 'my secret' }],
    ['an exception', { exception: 'my secret' }],
    ['an error within the delta', { choices: [{ index: 0, delta: { error: { message: 'my secret' } } }] }],
    ['an error within a list of one', [{ error: upstream }]],
    ['an error within the choice', { choices: [{ index: 0, delta: { content: '' }, error: upstream }] }],
    [
      'an error within the choice, beside a finish reason',
      { choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop', error: upstream }] },
    ],
  ])('%s in a stream is an error, though the stream ends in good order', async (_, error) => {
    const { outcome } = await streamOf(hello, sse(error), END)
    expect(outcome).toMatchObject({ error: 'api_response_structure_error', partial: 'Hello ' })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  test.each([
    ['an error in capitals', 'ERROR: my secret\n\n'],
    ['JSON without a field', '{"detail":"my secret"}\n\n'],
    ['JSON without a field, of older vLLM', '{"object":"error","message":"my secret"}\n\n'],
    ['an event named exception', 'event: exception\ndata: {"message":"my secret"}\n\n'],
    ['an event named after a failure', 'event: response.failed\ndata: {"message":"my secret"}\n\n'],
    ['an event named abort', 'event: abort\ndata: {}\n\n'],
    ['the page of a proxy', '<html><body>502 my secret</body></html>\n\n'],
  ])('%s in a stream is an error, though the stream ends in good order', async (_, error) => {
    const { outcome } = await streamOf(hello, error, END)
    expect(outcome).toMatchObject({ error: 'api_response_structure_error', partial: 'Hello ' })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  test.each([
    ['an error within the choice', { choices: [{ message: { content: 'Half' }, error: upstream }] }],
    [
      'an error within the choice, beside a finish reason',
      { choices: [{ message: { content: 'Half' }, finish_reason: 'stop', error: upstream }] },
    ],
    ['a list of errors', { errors: ['my secret'] }],
  ])('%s in a whole reply is an error', async (_, reply) => {
    const outcome = await replyTo(reply)
    expect(outcome).toMatchObject({
      error: 'api_response_structure_error',
      details: expect.stringContaining('reports an error with status 200'),
    })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  test.each([
    ['its code', { error: { code: 401, message: 'No credentials' } }],
    ['its code as a text', { error: { code: '403', message: 'No credentials' } }],
    ['its type', { error: { type: 'authentication_error', message: 'No credentials' } }],
  ])('an error that says by %s that the key is wrong is one of the key', async (_, reply) => {
    expect(await replyTo(reply)).toMatchObject({ error: 'api_authentication_error' })
    expect((await streamOf(sse(reply))).outcome).toMatchObject({ error: 'api_authentication_error' })
  })

  test.each([
    ['its code', { error: { code: 429, message: 'Later' } }],
    [
      'its code, in a list of one',
      [{ error: { code: 429, message: 'Later', status: 'RESOURCE_EXHAUSTED' } }],
    ],
    ['its type', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }],
    ['its code and words', { error: { code: 503, message: 'Server is busy' } }],
  ])('a server that says by %s that it is busy is asked again', async (_, busy) => {
    let calls = 0
    await using desk = await rawDesk(kind, (socket) => {
      calls += 1
      socket.end(calls === 1 ? bodied(JSON.stringify(busy)) : answered({ content: 'Hello you.' }))
    })
    expect(await desk.ask()).toMatchObject({ completion: 'Hello you.' })
    expect(calls).toBe(2)
  })

  test.each([
    ['fields without words', { code: 0, message: '' }],
    ['fields that are null', { code: null, message: null }],
    ['the word none', 'none'],
    ['the word null', 'null'],
    ['the number 0 as a text', '0'],
    ['an empty list', []],
  ])('an error of %s beside an answer is none', async (_, error) => {
    const choices = [{ index: 0, message: { content: 'Hello you.' }, finish_reason: 'stop' }]
    expect(await replyTo({ choices, error })).toMatchObject({ completion: 'Hello you.' })
    const events = [
      part({ content: 'Hello ' }, null, { error }),
      part({ content: 'you.' }, 'stop', { error }),
      END,
    ]
    expect((await streamOf(...events)).outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('events within lists of one are events', async () => {
    const packed = (event: string) => sse([JSON.parse(event.slice('data: '.length))])
    const { outcome } = await streamOf(packed(hello), packed(part({ content: 'you.' }, 'stop')), END)
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test.each([
    ['two spaces', 'data:  [DONE]\n\n'],
    ['small letters', 'data: [done]\n\n'],
    ['quotes', 'data: "[DONE]"\n\n'],
    ['no brackets', 'data: DONE\n\n'],
    ['a name', 'event: done\ndata: {}\n\n'],
    ['a name and no object', 'event: end\ndata: bye\n\n'],
  ])('an end mark with %s is one', async (_, mark) => {
    const { outcome } = await streamOf(hello, part({ content: 'you.' }), mark)
    expect(outcome).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
    expect((await streamOf(part({ content: 'Yes.' }, 'stop'), mark)).outcome).toMatchObject({
      completion: 'Yes.',
    })
  })

  test.each([
    ['one line end between events', (text: string) => text.replaceAll('\n\n', '\n')],
    ['one CRLF between events', (text: string) => text.replaceAll('\n\n', '\r\n')],
    ['`data:` twice', (text: string) => text.replaceAll('data: ', 'data: data: ')],
    ['JSON in lines of its own', (text: string) => text.replaceAll('data: {', '{')],
  ])('a stream with %s is read', async (_, write) => {
    const events = [hello, part({ content: 'you.' }), part({}, 'stop'), END].join('')
    const { outcome, text } = await streamOf(part({ role: 'assistant' }) + write(events))
    expect(outcome).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
    expect(text).toBe('Hello you.')
  })

  test('an error between events that end with one line end is one', async () => {
    const events = [hello, sse({ error: upstream }), END].join('').replaceAll('\n\n', '\n')
    expect((await streamOf(events)).outcome).toMatchObject({ error: 'api_response_structure_error' })
  })
})
