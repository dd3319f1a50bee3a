import { describe, expect, test } from 'vitest'
import { answered, asking, BACKENDS, bodied, END, part, rawDesk, sse, streamed } from './raw-desk.ts'

// What stands in answers, streamed and whole, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const { streamOf, askFor } = asking(kind)

  const text = { type: 'text', text: 'Two hours.' }

  test.each([
    ['thoughts as a list', [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }, text], 'hm'],
    ['thoughts as a text', [{ type: 'thinking', thinking: 'hm' }, text], 'hm'],
    ['reasoning', [{ type: 'reasoning', text: 'hm' }, text], 'hm'],
    [
      'text alone',
      [
        { type: 'text', text: 'Two ' },
        { type: 'output_text', text: 'hours.' },
      ],
      undefined,
    ],
    [
      'unknown parts',
      [{ type: 'reference', reference_ids: [1] }, text, { type: 'signature' }, null, 7],
      undefined,
    ],
    ['bare texts', ['Two ', 'hours.'], undefined],
    ['text as a value', [{ type: 'text', text: { value: 'Two hours.', annotations: [] } }], undefined],
    ['one part', text, undefined],
  ])('content may be a list: %s', async (_, content, reasoning) => {
    const expected = { completion: 'Two hours.', ...(reasoning && { reasoning }) }
    expect(await askFor({ content })).toMatchObject(expected)
    const streamed = await streamOf(part({ content }), part({}, 'stop'), END)
    expect(streamed.outcome).toMatchObject(expected)
    expect([streamed.text, streamed.reasoning]).toEqual(['Two hours.', reasoning ?? ''])
  })

  test.each([
    'abort',
    'aborted',
    'cancelled',
    'canceled',
    'user_cancelled',
    'interrupted',
    'timeout',
    'preempted',
    'shutdown',
    'incomplete',
    'server_stopped',
    'insufficient_system_resource',
    'userStopped',
    'stopped_by_user',
    'halted',
    'pause_turn',
    'rate_limit',
    'connection_lost',
    'deadline',
    'out_of_credits',
    'partial',
  ])('the finish reason %s is a failure with what had come', async (reason) => {
    const expected = {
      error: 'api_stream_interrupted',
      partial: 'Half an',
      details: expect.stringContaining(reason),
    }
    expect((await streamOf(part({ content: 'Half an' }), part({}, reason), END)).outcome).toMatchObject(
      expected,
    )
    expect(await askFor({ content: 'Half an' }, reason)).toMatchObject(expected)
  })

  test.each(['stop', 'length', ''])(
    'no later reason makes an answer of what was aborted (%s)',
    async (later) => {
      const events = [part({ content: 'Half an' }), part({}, 'abort'), part({}, later), END]
      const expected = { error: 'api_stream_interrupted', partial: 'Half an' }
      expect((await streamOf(...events)).outcome).toMatchObject(expected)
    },
  )

  test.each([
    ['an object', { a: [1, 'x'] }, '{"a":[1,"x"]}'],
    ['a number', 42, '42'],
    ['a truth value', true, 'true'],
  ])('content that is %s in place of its JSON is read', async (_, content, completion) => {
    expect(await askFor({ content })).toMatchObject({ completion })
    expect((await streamOf(part({ content }), part({}, 'stop'), END)).outcome).toMatchObject({ completion })
  })

  test('messages in place of deltas may each hold the text so far', async () => {
    const events = ['Two', 'Two ho', 'Two hours.', 'Two hours.'].map((content) =>
      sse({ choices: [{ index: 0, message: { content }, finish_reason: null }] }),
    )
    const { outcome, text } = await streamOf(...events, part({}, 'stop'), END)
    expect([outcome, text]).toMatchObject([{ completion: 'Two hours.' }, 'Two hours.'])
  })

  test('messages in place of deltas may begin alike', async () => {
    const events = ['very ', 'very ', '1', '10', '0'].map((content) =>
      sse({ choices: [{ index: 0, message: { content }, finish_reason: null }] }),
    )
    const { outcome } = await streamOf(...events, part({}, 'stop'), END)
    expect(outcome).toMatchObject({ completion: 'very very 1100' })
  })

  test('a last delta that repeats the whole text adds nothing', async () => {
    const pieces = ['Two hours', ' and', ' a', ' half.'].map((content) => part({ content }))
    const last = part({ content: 'Two hours and a half.' }, 'stop')
    const { outcome, text } = await streamOf(...pieces, last, END)
    expect([outcome, text]).toMatchObject([
      { completion: 'Two hours and a half.', finish_reason: 'stop' },
      'Two hours and a half.',
    ])
    // Short texts repeat themselves.
    const short = ['a', 'b', 'c'].map((content) => part({ content }))
    expect((await streamOf(...short, part({ content: 'abc' }, 'stop'), END)).outcome).toMatchObject({
      completion: 'abcabc',
    })
  })

  test.each([
    ['message', { message: { role: 'assistant', content: 'Two hours.' } }],
    ['text', { text: 'Two hours.' }],
    ['delta that is empty, and a message', { delta: null, message: { content: 'Two hours.' } }],
  ])('an event of a stream may hold its text in a %s', async (_, fields) => {
    const events = [sse({ choices: [{ index: 0, ...fields, finish_reason: null }] }), part({}, 'stop'), END]
    expect((await streamOf(...events)).outcome).toMatchObject({ completion: 'Two hours.' })
  })

  test.each(['error', 'network_error', 'failed', 'MALFORMED_FUNCTION_CALL'])(
    'the finish reason %s is a failure',
    async (reason) => {
      const expected = { error: 'api_response_structure_error', partial: 'Half an' }
      expect((await streamOf(part({ content: 'Half an' }), part({}, reason), END)).outcome).toMatchObject(
        expected,
      )
    },
  )

  test.each([
    ['content_filter', 'content_filter'],
    ['SAFETY', 'content_filter'],
    ['sensitive', 'content_filter'],
    ['guardrail_intervened', 'content_filter'],
    ['blocked', 'content_filter'],
    ['stop', 'stop'],
    ['eos', 'stop'],
    ['stop_sequence', 'stop'],
    ['COMPLETE', 'stop'],
    ['function_call', 'stop'],
  ])('the finish reason %s is %s', async (raw, expected) => {
    const normalised = { completion: 'Half an', finish_reason: expected }
    expect(await askFor({ content: 'Half an' }, raw)).toMatchObject(normalised)
    expect((await streamOf(part({ content: 'Half an' }), part({}, raw), END)).outcome).toMatchObject(
      normalised,
    )
  })
})

describe.each(BACKENDS)('%s', (kind) => {
  const parameters = { stop: ['END', '\n\nUser:'], max_tokens: 512 }

  test.each([
    ['that is written out', 'One.END', 'One.'],
    ['behind which the text goes on', 'One.\n\nUser: Two?END', 'One.'],
    ['of which only the beginning comes', 'One.\n\nUse EN', 'One.\n\nUse EN'],
    ['that begins twice', 'One EENDE', 'One E'],
    ['behind thoughts that speak of it', '<think>END</think>One.', 'One.'],
  ])('a stop string %s ends the text', async (_, content, completion) => {
    await using desk = await rawDesk(kind, answered({ content }, 'stop'))
    expect(await desk.ask({ parameters })).toMatchObject({ completion, finish_reason: 'stop' })
    for (const size of [1, 3, 1000]) {
      const deltas = content.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
      const events = deltas.map((one) => part({ content: one }))
      await using streaming = await rawDesk(kind, streamed(...events, part({}, 'stop'), END))
      const { outcome, text } = await streaming.stream({ parameters })
      expect(outcome).toMatchObject({ completion, finish_reason: 'stop' })
      expect(text.trim()).toBe(completion)
    }
  })
})

test('an answer that a stop string ended is whole, though its server went on to the limit', async () => {
  const parameters = { stop: ['END'], max_tokens: 512 }
  await using desk = await rawDesk('openai', answered({ content: 'One.END Two' }, 'length'))
  expect(await desk.ask({ parameters })).toMatchObject({ completion: 'One.', finish_reason: 'stop' })
})

describe('the finish reason length', () => {
  const lengthOf = async (kind: 'openai' | 'kobold', usage?: object, raw = 'length') => {
    await using desk = await rawDesk(kind, answered({ content: 'Half an' }, raw, usage && { usage }))
    const whole = await desk.ask()
    await using streaming = await rawDesk(
      kind,
      streamed(
        part({ content: 'Half an' }),
        part({}, raw),
        ...(usage ? [sse({ choices: [], usage })] : []),
        END,
      ),
    )
    const { outcome } = await streaming.stream()
    const reason = whole.error === undefined && whole.finish_reason
    expect(outcome).toMatchObject({ finish_reason: reason })
    return reason
  }

  test.each([
    ['length', { prompt_tokens: 9, completion_tokens: 5 }],
    ['length', { prompt_tokens: 9, completion_tokens: 512 }],
    ['length', undefined],
    ['MAX_TOKENS', undefined],
    ['model_length', undefined],
    ['max_completion_tokens', undefined],
    ['maxPredictedTokensReached', undefined],
    ['limit_reached', undefined],
    ['too_long', undefined],
    ['repetition', undefined],
    ['kv_cache_full', undefined],
    ['exhausted', undefined],
    ['model_context_window_exceeded', { prompt_tokens: 9, completion_tokens: 5 }],
  ])('of an openai backend is believed (%s, %o)', async (raw, usage) => {
    expect(await lengthOf('openai', usage, raw)).toBe('length')
  })

  test.each([
    ['the limit was reached', { prompt_tokens: 9, completion_tokens: 512 }, 'length'],
    ['the context is full', { prompt_tokens: 480, completion_tokens: 32 }, 'length'],
    ['neither', { prompt_tokens: 9, completion_tokens: 5 }, 'stop'],
    ['there is no count', undefined, 'stop'],
  ])('of a kobold backend counts where %s', async (_, usage, expected) => {
    expect(await lengthOf('kobold', usage)).toBe(expected)
  })

  test.each([
    ['length', 'stop', 'length'],
    ['content_filter', 'stop', 'content_filter'],
    ['stop', 'length', 'length'],
    ['content_filter', 'length', 'length'],
  ])('of the reasons %s and then %s without more text, %s counts', async (first, later, expected) => {
    const { streamOf } = asking('openai')
    const { outcome } = await streamOf(part({ content: 'Half' }), part({}, first), part({}, later), END)
    expect(outcome).toMatchObject({ completion: 'Half', finish_reason: expected })
    const more = [part({ content: ' an' }), part({}, later)]
    const whole = await streamOf(part({ content: 'Half' }), part({}, first), ...more, END)
    expect(whole.outcome).toMatchObject({ completion: 'Half an', finish_reason: later })
  })

  test('beside a call of a tool whose arguments were cut off is length', async () => {
    const tool_calls = [{ id: 'a', function: { name: 'look', arguments: '{"city":"Be' } }]
    await using desk = await rawDesk('openai', answered({ content: null, tool_calls }, 'length'))
    expect(await desk.ask()).toMatchObject({ finish_reason: 'length' })
  })
})

test('native streams of KoboldCPP with an error in place of a token say so', async () => {
  await using desk = await rawDesk(
    'kobold',
    bodied(JSON.stringify({ detail: { msg: 'x', type: 'bad_input' } })),
  )
  expect(await desk.ask()).toMatchObject({ error: 'api_client_error' })
})
