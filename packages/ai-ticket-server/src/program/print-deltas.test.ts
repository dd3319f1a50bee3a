import { PassThrough } from 'node:stream'
import type { StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { printDeltas } from './terminal-text.ts'

const outcome: SuccessOutcome = {
  completion: '',
  id: 'evt_1',
  model: null,
  backend: 'kobold',
  endpoint: 'chat',
  finish_reason: 'stop',
  usage: null,
  duration_ms: 1,
  attempts: [],
}

async function* streamOf(...texts: string[]): AsyncGenerator<StreamEvent> {
  yield { type: 'admitted', id: 'evt_1' }
  for (const text of texts) yield { type: 'delta', text }
  yield { type: 'done', outcome }
}

async function printed(texts: string[], isTTY = false) {
  const stdout = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
  const result = await printDeltas(streamOf(...texts), stdout, new AbortController().signal)
  expect(result).toBe(outcome)
  return stdout.read()
}

test.each([
  [[' ', '\n Hello', ' there'], 'Hello there\n'],
  [['A list:\n', '- one\n'], 'A list:\n- one\n'],
  [[], null],
])('%j is printed as %j', async (texts, text) => {
  expect(await printed(texts)).toBe(text)
})

test('on a terminal the text of the model moves no cursor; in a pipe it is as it came', async () => {
  const texts = ['\u001b[2Jgone', '\u0007 and back']
  expect(await printed(texts, true)).toBe('gone and back\n')
  expect(await printed(texts)).toBe('\u001b[2Jgone\u0007 and back\n')
})

test('a caller who is interrupted gets a whole last line and no outcome', async () => {
  const stdout = new PassThrough({ encoding: 'utf8' })
  const controller = new AbortController()
  async function* interrupted(): AsyncGenerator<StreamEvent> {
    yield { type: 'delta', text: 'Half an ans' }
    controller.abort(new Error('interrupted'))
    throw controller.signal.reason
  }
  expect(await printDeltas(interrupted(), stdout, controller.signal)).toBeUndefined()
  expect(stdout.read()).toBe('Half an ans\n')
})
