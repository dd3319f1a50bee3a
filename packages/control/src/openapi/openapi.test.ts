import type { InferOutput } from 'valibot'
import { expectTypeOf, test } from 'vitest'
import type { CallerBody } from '../bodies/caller.ts'
import type { CallerSchema } from './control-schemas.ts'

test('every body is described as its type says', () => {
  expectTypeOf<InferOutput<typeof CallerSchema>>().toEqualTypeOf<CallerBody>()
})
