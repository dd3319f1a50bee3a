import type { FinishReason } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { finishOf } from './kobold-text.ts'

test.each<[FinishReason, 'stop' | 'length']>([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'length'],
  ['tool_calls', 'stop'],
])('an answer that ended with %s says %s', (finish_reason, expected) => {
  expect(finishOf({ finish_reason, attempts: [] })).toBe(expected)
})
