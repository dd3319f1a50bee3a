import type { SuccessOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { ResponseFrames } from './response-frames.ts'

const OUTCOME: SuccessOutcome = {
  ...{
    completion: 'Hello you.',
    id: 'evt_1',
    model: 'm',
    backend: 'b',
    endpoint: 'chat',
    finish_reason: 'stop',
  },
  ...{ usage: null, duration_ms: 1, attempts: [], reasoning: 'Hm.' },
}

const open = (startingAfter?: number) =>
  new ResponseFrames(
    { tail: '1', event: null, background: false, store: true, createdAt: 0 },
    { wallTime: () => 1_000, ...(startingAfter === undefined ? {} : { startingAfter }) },
  )

interface Seen {
  readonly type: string
  readonly sequence_number: number
  readonly delta?: string
  readonly [name: string]: unknown
}

const read = (frames: string): Seen[] =>
  frames
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const [event, data] = frame.split('\n')
      const parsed: Seen = JSON.parse(data?.slice('data: '.length) ?? '')
      expect(event).toBe(`event: ${parsed.type}`)
      return parsed
    })

const typesOf = (seen: readonly Seen[]) => seen.map(({ type }) => type.replace('response.', ''))

test('thoughts, words and the end, in the order that clients check', () => {
  const frames = open()
  const all = [
    frames.start('in_progress'),
    frames.delta({ text: '', reasoning: 'Hm.' }),
    frames.delta({ text: 'Hello ' }),
    frames.delta({ text: 'you.' }),
    frames.end(OUTCOME),
  ]
  const seen = read(all.join(''))
  expect(typesOf(seen)).toEqual([
    ...['created', 'in_progress', 'output_item.added', 'reasoning_text.delta', 'reasoning_text.done'],
    ...['output_item.done', 'output_item.added', 'content_part.added', 'output_text.delta'],
    ...['output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed'],
  ])
  expect(seen.map(({ sequence_number }) => sequence_number)).toEqual(seen.map((_, index) => index))
  expect(seen.filter(({ type }) => type.endsWith('item.done')).map((one) => one.output_index)).toEqual([0, 1])
})

test('an answer in one piece, and thoughts that come with its end', () => {
  const whole = read(open().start('in_progress') + open().end(OUTCOME))
  expect(typesOf(whole)).toContain('output_text.delta')
  const late = open()
  const seen = read(late.delta({ text: 'Hello you.' }) + late.end(OUTCOME))
  expect(typesOf(seen).slice(-4)).toEqual([
    ...['reasoning_text.delta', 'reasoning_text.done', 'output_item.done', 'completed'],
  ])
})

test('without a word there is an empty message; with calls there is none', () => {
  const empty = read(open().end({ ...OUTCOME, completion: '', reasoning: undefined as never }))
  expect(typesOf(empty)).toContain('content_part.done')
  const call = { id: 'call_1', type: 'function' as const, function: { name: 'f', arguments: '{}' } }
  const calls = read(
    open().end({ ...OUTCOME, completion: '', tool_calls: [call], finish_reason: 'tool_calls' }),
  )
  expect(typesOf(calls)).not.toContain('content_part.added')
  expect(calls).toContainEqual(expect.objectContaining({ type: 'response.function_call_arguments.done' }))
})

test('a failure ends what is open as incomplete, with the code that clients know', () => {
  const frames = open()
  const failure = {
    error: 'api_connection_error' as const,
    details: 'Gone.',
    id: 'evt_1',
    attempts: [],
    duration_ms: 1,
  }
  const seen = read(
    frames.start('in_progress') + frames.delta({ text: 'Hel' }) + frames.end({ ...failure, partial: 'Hel' }),
  )
  expect(seen.at(-2)).toMatchObject({ type: 'response.output_item.done', item: { status: 'incomplete' } })
  expect(seen.at(-1)).toMatchObject({
    type: 'response.failed',
    response: {
      status: 'failed',
      error: { code: 'server_error', message: 'Gone.' },
      output: [{ status: 'incomplete' }],
    },
  })
})

/** A stored response, read with its text in these pieces. */
const replay = (pieces: readonly string[], startingAfter: number) => {
  const frames = open(startingAfter)
  const begun = frames.start('queued') + frames.run(1)
  const said = pieces.map((text) => frames.delta({ text })).join('')
  return read(begun + said + frames.end(OUTCOME))
}

test('whatever the pieces, a place in the text has one number, and a reader gets what it lacks and no more', () => {
  const cuts = [['Hello you.'], ['Hello ', 'you.'], [...'Hello you.'], []]
  for (const first of cuts) {
    const seen = replay(first, -1)
    for (const [index, { sequence_number: last }] of seen.entries()) {
      const had = seen.slice(0, index + 1)
      for (const second of cuts) {
        const rest = replay(second, last)
        const text = [...had, ...rest].flatMap(({ type, delta }) =>
          type.endsWith('output_text.delta') ? [delta] : [],
        )
        expect(text.join('')).toBe('Hello you.')
        for (const event of rest) expect(event.sequence_number).toBeGreaterThan(last)
        if (last !== seen.at(-1)?.sequence_number) expect(rest.at(-1)).toEqual(seen.at(-1))
      }
    }
  }
})

test('a call that its limit has cut is incomplete, and the ones before it are whole', () => {
  const call = (name: string, words: string) => ({
    ...{ id: `call_${name}`, type: 'function' as const },
    function: { name, arguments: words },
  })
  const cut: SuccessOutcome = {
    ...{ ...OUTCOME, completion: '', finish_reason: 'length' },
    tool_calls: [call('whole', '{}'), call('cut', '{"city":')],
  }
  const seen = read(open().start('in_progress') + open().end(cut))
  const done = seen.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item)
  const calls = [
    { name: 'whole', arguments: '{}', status: 'completed' },
    { name: 'cut', arguments: '{"city":', status: 'incomplete' },
  ]
  expect(done.slice(-2)).toMatchObject(calls)
  const last = seen.at(-1)?.response as { readonly output: readonly unknown[] }
  expect(last.output.slice(-2)).toMatchObject(calls)
})
