import type { BackendHealth, DeskReport, FailureOutcome, Health, SuccessOutcome } from '@ai-ticket/core'
import { ParametersSchema } from '@ai-ticket/core/schemas'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import type { OpenAiUsage } from '../../openai/completion-body.ts'
import { findUnsupported, PARAMETERS } from '../../openai/read-request.ts'
import type { ModelList } from '../../routes/models.ts'
import type { ModelListSchema, OpenAiUsageSchema } from '../completion-schemas.ts'
import { HarmlessOptionsSchema } from '../completion-schemas.ts'
import type { BackendHealthSchema, DeskReportSchema, HealthSchema } from '../desk-schemas.ts'
import type { FailureOutcomeSchema, SuccessOutcomeSchema } from '../outcome-schemas.ts'

// `expectTypeOf` speaks to the compiler (`tsc -p packages/server`).

/** The same shape; who may write to it is no matter of JSON. */
type Json<Type> = Type extends readonly (infer Item)[]
  ? Json<Item>[]
  : Type extends object
    ? { -readonly [Key in keyof Type]: Json<Type[Key]> }
    : Type

/** Names that are only there so that an outcome can be taken apart are in no JSON. */
type Sent<Outcome> = Json<{
  [Key in keyof Outcome as [Exclude<Outcome[Key], undefined>] extends [never] ? never : Key]: Outcome[Key]
}>

test('what is described is what the types say', () => {
  expectTypeOf<v.InferOutput<typeof SuccessOutcomeSchema>>().toEqualTypeOf<Sent<SuccessOutcome>>()
  expectTypeOf<v.InferOutput<typeof FailureOutcomeSchema>>().toEqualTypeOf<Sent<FailureOutcome>>()
  expectTypeOf<v.InferOutput<typeof BackendHealthSchema>>().toEqualTypeOf<BackendHealth>()
  expectTypeOf<v.InferOutput<typeof DeskReportSchema>>().toEqualTypeOf<DeskReport>()
  // Who has no key sees the status alone.
  expectTypeOf<v.InferOutput<typeof HealthSchema>>().toEqualTypeOf<
    Json<
      Pick<Health, 'status'> &
        Partial<Omit<Health, 'status'>> & {
          version?: string
          ticket_store?: { status: 'available' | 'unavailable'; details?: string }
        }
    >
  >()
  expectTypeOf<v.InferOutput<typeof ModelListSchema>>().toEqualTypeOf<Json<ModelList>>()
  expectTypeOf<v.InferOutput<typeof OpenAiUsageSchema>>().toEqualTypeOf<OpenAiUsage>()
})

test("what OpenAI's clients may set is what is checked as parameters", () => {
  expect([...PARAMETERS].sort()).toEqual(Object.keys(ParametersSchema.pipe[1].entries).sort())
})

const VALUES = [null, 0, 1, 2, true, false, '', 'x', [], ['x'], ['text'], ['text', 'audio'], {}]

test.each(Object.keys(HarmlessOptionsSchema.entries))('%s is refused where its schema refuses it', (name) => {
  for (const value of VALUES) {
    const isTaken = findUnsupported({ [name]: value }) === undefined
    expect([value, v.is(HarmlessOptionsSchema, { [name]: value })]).toEqual([value, isTaken])
  }
})
