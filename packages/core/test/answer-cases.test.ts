import { describe, expect, test } from 'vitest'
import { answered, BACKENDS, END, part, rawDesk, streamed } from './raw-desk.ts'

// What stands in answers, streamed and whole, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const streamOf = async (...events: string[]) => {
    await using desk = await rawDesk(kind, streamed(...events))
    return await desk.stream()
  }
  const askFor = async (message: object, finishReason: unknown = 'stop', more: object = {}) => {
    await using desk = await rawDesk(kind, answered(message, finishReason, more))
    return await desk.ask()
  }

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
    ['one part', text, undefined],
  ])('content may be a list: %s', async (_, content, reasoning) => {
    const expected = { completion: 'Two hours.', ...(reasoning && { reasoning }) }
    expect(await askFor({ content })).toMatchObject(expected)
    const streamed = await streamOf(part({ content }), part({}, 'stop'), END)
    expect(streamed.outcome).toMatchObject(expected)
    expect([streamed.text, streamed.reasoning]).toEqual(['Two hours.', reasoning ?? ''])
  })
})
