import { type InferOutput, is } from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import type { BulkBody } from '../http/bulk-tickets.ts'
import { KNOWN_FILTERS, readPrune } from '../http/read-query.ts'
import type { CallbackBody, TicketBody, TicketRowBody } from '../http/ticket-body.ts'
import { metadataFilter, TICKET_FILTERS } from './ticket-parameters.ts'
import type { BulkSchema, CallbackSchema, TicketRowSchema, TicketSchema } from './ticket-schemas.ts'
import { PruneRequestSchema } from './ticket-schemas.ts'

/** The same shape; who may write to it is no matter of JSON. */
type Json<Type> = Type extends readonly (infer Item)[]
  ? Json<Item>[]
  : Type extends object
    ? { -readonly [Key in keyof Type]: Json<Type[Key]> }
    : Type

test('a ticket is described as its type says', () => {
  // What an outcome is, the server's package tests.
  expectTypeOf<Omit<InferOutput<typeof TicketSchema>, 'outcome'>>().toEqualTypeOf<
    Json<Omit<TicketBody, 'outcome'>>
  >()
  expectTypeOf<TicketBody>().toHaveProperty('outcome')
})

test('a row is described as its type says', () => {
  expectTypeOf<InferOutput<typeof TicketRowSchema>>().toEqualTypeOf<Json<TicketRowBody>>()
})

test('what became of many tickets is described as its type says', () => {
  expectTypeOf<InferOutput<typeof BulkSchema>>().toEqualTypeOf<BulkBody>()
})

test('a callback is described as its type says', () => {
  expectTypeOf<InferOutput<typeof CallbackSchema>>().toEqualTypeOf<CallbackBody>()
})

test('every filter that is read is described, and no other', () => {
  const names = [...TICKET_FILTERS.map(({ name }) => name), `${metadataFilter.name}.<name>`]
  expect(names.sort()).toEqual([...KNOWN_FILTERS].sort())
})

test('a removal is described with the fields that are read, and no other', () => {
  const names = Object.keys(PruneRequestSchema.entries)
  const refusal = `There is no \`all\`. Known: ${names.join(', ')}.`
  expect(() => readPrune({ all: true })).toThrow(refusal)
  expect(is(PruneRequestSchema, { all: true })).toBe(false)
})
