import { expect, test } from 'vitest'
import { createModelNames } from './openai-call.ts'

test('the only model of a server is sent, whatever the caller calls it', () => {
  const names = createModelNames({})
  expect(names.needsLook(undefined)).toBe(true)
  names.learn(['qwen'])
  expect(names.toSend(undefined)).toBe('qwen')
  expect(names.toSend('gpt-4')).toBe('qwen')
  expect(names.needsLook(undefined)).toBe(false)
})

test('where there is a choice, a name goes out as it is and none stays none', () => {
  const names = createModelNames({})
  names.learn(['qwen', 'gemma'])
  expect(names.toSend('unknown')).toBe('unknown')
  expect(names.toSend(undefined)).toBeUndefined()
})

test('a configured name is the default, and a configured list replaces that of the server', () => {
  const names = createModelNames({ model: 'gemma', models: ['qwen', 'gemma'] })
  names.learn(['hundreds', 'of', 'others'])
  expect(names.toSend(undefined)).toBe('gemma')
  expect(names.toSend('qwen')).toBe('qwen')
  expect(names.offered()).toEqual(['qwen', 'gemma'])
  expect(names.needsLook(undefined)).toBe(false)
})
