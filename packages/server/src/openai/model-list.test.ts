import { expect, test } from 'vitest'
import { findModel, modelList } from './model-list.ts'

const list = modelList(
  [
    { name: 'one', models: ['koboldcpp/tiny', 'shared'] },
    { name: 'two', models: ['shared'] },
    { name: 'off', models: [] },
  ],
  1_767_225_600,
)

test('every model once, and default', () => {
  const common = { object: 'model', created: 1_767_225_600 }
  expect(list).toEqual({
    object: 'list',
    data: [
      { ...common, id: 'koboldcpp/tiny', owned_by: 'one' },
      { ...common, id: 'shared', owned_by: 'one' },
      { ...common, id: 'default', owned_by: 'ai-ticket' },
    ],
  })
})

test.each([
  ['koboldcpp/tiny', 'koboldcpp/tiny'],
  ['tiny', 'koboldcpp/tiny'],
  ['koboldcpp/shared', 'shared'],
  ['other', undefined],
  ['', undefined],
])('%j is %j', (id, found) => {
  expect(findModel(list, id)?.id).toBe(found)
})
