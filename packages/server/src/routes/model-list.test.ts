import { expect, test } from 'vitest'
import { findModel, modelList } from './models.ts'

const list = modelList(
  [
    { name: 'one', models: ['koboldcpp/tiny', 'shared'] },
    { name: 'two', models: ['shared'], aliases: ['fast', 'tiny-too'] },
    { name: 'off', models: [], aliases: ['fast'] },
  ],
  1_767_225_600,
)

test('every model and alias once, and default', () => {
  const common = { object: 'model', created: 1_767_225_600 }
  expect(list).toEqual({
    object: 'list',
    data: [
      { ...common, id: 'koboldcpp/tiny', owned_by: 'one' },
      { ...common, id: 'shared', owned_by: 'one' },
      { ...common, id: 'fast', owned_by: 'two' },
      { ...common, id: 'tiny-too', owned_by: 'two' },
      { ...common, id: 'default', owned_by: 'ai-ticket' },
    ],
  })
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
