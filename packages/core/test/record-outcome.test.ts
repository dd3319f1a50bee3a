import type { Outcome, OutcomeContext } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const SLOW = { tokensPerSecond: 50, answer: () => 'one two three four five '.repeat(50) }

test('a caller who keeps the outcome gets it once, and onOutcome is told so', async () => {
  const told: [Outcome, OutcomeContext][] = []
  const recorded: Outcome[] = []
  await using desk = await openDesk([{ tokensPerSecond: Number.POSITIVE_INFINITY }], {
    onOutcome: (outcome, context) => told.push([outcome, context]),
  })
  const first = await desk.dispatcher.onEvent({ content: 'Hi' }, { record: (one) => void recorded.push(one) })
  const second = await desk.dispatcher.onEvent({ content: 'Hi' })
  expect(recorded).toEqual([first])
  expect(told.map(([outcome]) => outcome)).toEqual([first, second])
  expect(told.map(([, { isRecorded }]) => isRecorded)).toEqual([true, false])
})

test('an outcome is recorded also where the caller has aborted, with the text that had come', async () => {
  const recorded: Outcome[] = []
  await using desk = await openDesk([SLOW])
  const control = new AbortController()
  const asking = desk.dispatcher.onEvent(
    { content: 'Count.' },
    { signal: control.signal, record: (outcome) => void recorded.push(outcome) },
  )
  await desk.simulators[0]?.waitFor(({ generating }) => generating)
  control.abort(new Error('enough'))
  await expect(asking).rejects.toThrow('enough')
  expect(recorded).toMatchObject([{ error: 'cancelled', attempts: [{ result: 'cancelled' }] }])
})

test('what record throws changes nothing', async () => {
  await using desk = await openDesk([{ tokensPerSecond: Number.POSITIVE_INFINITY }])
  const record = () => {
    throw new Error('no room')
  }
  expect(await desk.dispatcher.onEvent({ content: 'Hi' }, { record })).toHaveProperty('completion')
})
