import {
  createDispatcher,
  createKoboldBackend,
  type FailureCode,
  type Outcome,
  type Usage,
} from '@ai-ticket/core'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'

const Answer = v.object({ city: v.string() })
const openDesk = () =>
  createDispatcher({ backends: [createKoboldBackend({ url: 'http://127.0.0.1:9' })], timeoutMs: 5_000 })

test('an outcome is taken apart before it is known which it is', async () => {
  await using desk = openDesk()
  const outcome = await desk.onEvent({ content: ' ' })
  const { completion, error, details, usage, partial, data } = outcome
  expectTypeOf(completion).toEqualTypeOf<string | undefined>()
  expectTypeOf(error).toEqualTypeOf<FailureCode | undefined>()
  expectTypeOf(data).toEqualTypeOf<unknown>()
  if (error === undefined) {
    expectTypeOf(completion).toEqualTypeOf<string>()
    expectTypeOf(usage).toEqualTypeOf<Usage | null>()
    expectTypeOf(details).toEqualTypeOf<undefined>()
    throw new Error('It has no prompt.')
  }
  expectTypeOf(completion).toEqualTypeOf<undefined>()
  expectTypeOf(details).toEqualTypeOf<string>()
  expect({ error, partial }).toEqual({ error: 'prompt_extraction_failed', partial: undefined })
  expect(Object.keys(outcome).sort()).toEqual([
    'attempts',
    'details',
    'duration_ms',
    'error',
    'id',
    'waited_ms',
  ])
})

/** Never called. */
export function narrows(outcome: Outcome) {
  if (outcome.error) return expectTypeOf(outcome.details).toEqualTypeOf<string>()
  if (outcome.completion === undefined) return expectTypeOf(outcome).toEqualTypeOf<never>()
  return expectTypeOf(outcome.finish_reason).not.toEqualTypeOf<undefined>()
}

/** Never called. */
export async function narrowsWithASchema() {
  const { data, error } = await openDesk().onEvent({ content: 'A city?' }, { schema: Answer })
  if (error !== undefined) return expectTypeOf(data).toEqualTypeOf<undefined>()
  return expectTypeOf(data).toEqualTypeOf<{ city: string }>()
}
