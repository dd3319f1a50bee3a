import { expect, test } from 'vitest'
import { findModel, modelList } from './models.ts'

const list = modelList(
  [
    { name: 'one', models: ['koboldcpp/tiny', 'shared'], context_length: 8_192 },
    { name: 'two', models: ['shared'], aliases: ['fast', 'tiny-too'], context_length: 4_096 },
    { name: 'off', models: [], aliases: ['fast'] },
  ],
  1_767_225_600,
)

/** What one client or another reads of it. */
const model = (id: string, owned_by: string, context: number) => ({
  ...{ id, object: 'model', created: 1_767_225_600, owned_by },
  ...{ type: 'model', display_name: id, created_at: '2026-01-01T00:00:00.000Z' },
  ...{ context_length: context, max_model_len: context },
})

test('every model and alias once, and default, each with the smallest context that it may get', () => {
  expect(list).toEqual({
    object: 'list',
    data: [
      model('koboldcpp/tiny', 'one', 8_192),
      model('shared', 'one', 4_096),
      model('fast', 'two', 4_096),
      model('tiny-too', 'two', 4_096),
      model('default', 'ai-ticket', 4_096),
    ],
    ...{ has_more: false, first_id: 'koboldcpp/tiny', last_id: 'default' },
  })
})

test('a context that nobody knows is not told', () => {
  const { data } = modelList([{ name: 'one', models: ['tiny'] }], 0)
  expect(data.filter((one) => 'context_length' in one || 'max_model_len' in one)).toEqual([])
})

test.each([
  ['koboldcpp/tiny', 'koboldcpp/tiny'],
  ['tiny', 'koboldcpp/tiny'],
  ['koboldcpp/shared', 'shared'],
  ['fast', 'fast'],
  ['other', undefined],
  ['', undefined],
])('%j is %j', (id, found) => {
  expect(findModel(list, id)?.id).toBe(found)
})
