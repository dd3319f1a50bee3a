import { describe, expect, test } from 'vitest'
import { answered, asking, BACKENDS, END, part, rawDesk, sse, streamed } from './raw-desk.ts'

// Thoughts in the text of an answer, over sockets: the outcome is that of a caller.

describe.each(BACKENDS)('%s', (kind) => {
  const { streamOf, askFor } = asking(kind)

  const think = '<think>\nThe user greets.\n</think>\n\nHello!'

  test.each([
    ['whole', think, 'Hello!', 'The user greets.'],
    ['after white space', `\n ${think}`, 'Hello!', 'The user greets.'],
    ['without text behind it', '<think>Hm.</think>', '', 'Hm.'],
    ['that never ends', '<think>Hm. And', '', 'Hm. And'],
    ['that is empty', '<think>\n\n</think>\n\nHello!', 'Hello!', ''],
    ['with a tag inside', '<think>a <b>c</b> </thin k</think>Hello!', 'Hello!', 'a <b>c</b> </thin k'],
    ['of which the text speaks', 'Write <think>x</think> so.', 'Write <think>x</think> so.', ''],
    ['twice', '<think>a</think>b <think>c</think>', 'b <think>c</think>', 'a'],
    ['of another name', '<thinker>a</thinker>', '<thinker>a</thinker>', ''],
    ['that has only begun', '<thin', '<thin', ''],
    ['of Mistral', '[THINK]Hm.[/THINK]Hello!', 'Hello!', 'Hm.'],
    ['of Kimi', '◁think▷Hm.◁/think▷Hello!', 'Hello!', 'Hm.'],
    ['of Seed', '<seed:think>Hm.</seed:think>Hello!', 'Hello!', 'Hm.'],
    ['of Command A', '<|START_THINKING|>Hm.<|END_THINKING|>Hello!', 'Hello!', 'Hm.'],
    [
      'of gpt-oss',
      '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello!',
      'Hello!',
      'Hm.',
    ],
    ['of Gemma', '<|channel>thought\nHm.<channel|>Hello!', 'Hello!', 'Hm.'],
    ['that another tag does not end', '[THINK]a</think>b[/THINK]c', 'c', 'a</think>b'],
    ['that a prompt asks for', '<thinking>a</thinking>b', '<thinking>a</thinking>b', ''],
    ['that is a list', '[1, 2]', '[1, 2]', ''],
  ])(
    'a block of thoughts at the beginning goes to reasoning: %s',
    async (_, answer, completion, reasoning) => {
      const expected = { completion, ...(reasoning && { reasoning }) }
      expect(await askFor({ content: answer })).toMatchObject(expected)
      for (const size of [1, 3, 7, 1000]) {
        const deltas = answer.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
        const streamed = await streamOf(...deltas.map((content) => part({ content })), part({}, 'stop'), END)
        expect(streamed.outcome).toMatchObject(expected)
        expect([streamed.text.trim(), streamed.reasoning]).toEqual([completion, reasoning])
      }
    },
  )

  test('thoughts in the text follow those that the server told apart', async () => {
    const answer = { content: '<think>b</think>c', reasoning_content: 'a' }
    expect(await askFor(answer)).toMatchObject({ completion: 'c', reasoning: 'ab' })
  })

  test('who goes on with a text reads what follows as it came', async () => {
    await using desk = await rawDesk(kind, answered({ content: think }))
    const outcome = await desk.dispatcher.onEvent({ content: 'Hi' }, { continues: true })
    expect(outcome).toMatchObject({ completion: think })
  })

  test('with a schema thoughts at the beginning are no part of the answer', async () => {
    await using desk = await rawDesk(kind, answered({ content: '<think>{"a":0}</think>{"a":1}' }))
    const schema = { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] }
    expect(await desk.ask({ schema })).toMatchObject({ data: { a: 1 }, reasoning: '{"a":0}' })
  })

  test.each(['length', 'stop'])(
    'with a schema thoughts that never end are an answer that was cut off: %s',
    async (finishReason) => {
      const usage = { prompt_tokens: 9, completion_tokens: 512 }
      const thoughts = '<think>maybe {"a":0} and then'
      const schema = { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] }
      const expected = {
        error: 'output_schema_mismatch',
        details: expect.stringContaining('raise `max_tokens`'),
        schema: { repairs: 0, errors: [{ path: '', rule: 'incomplete' }] },
      }
      await using desk = await rawDesk(kind, answered({ content: thoughts }, finishReason, { usage }))
      expect(await desk.ask({ schema })).toMatchObject(expected)
      expect(desk.calls()).toBe(1)
      const parts = [part({ content: thoughts.slice(0, 9) }), part({ content: thoughts.slice(9) })]
      const events = [...parts, part({}, finishReason), sse({ choices: [], usage }), END]
      await using streaming = await rawDesk(kind, streamed(...events))
      expect((await streaming.stream({ schema })).outcome).toMatchObject(expected)
    },
  )

  test('with a schema an answer of thoughts that ended is asked for again', async () => {
    await using desk = await rawDesk(kind, answered({ content: '', reasoning_content: 'Hm.' }))
    const schema = { type: 'object', required: ['a'] }
    expect(await desk.ask({ schema })).toMatchObject({
      error: 'output_schema_mismatch',
      schema: { repairs: 2 },
    })
  })
})
