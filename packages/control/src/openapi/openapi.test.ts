import type { InferOutput } from 'valibot'
import { expectTypeOf, test } from 'vitest'
import type { CallerBody } from '../bodies/caller.ts'
import type { EndedBody, LineBody } from '../bodies/line.ts'
import type { CallerSchema, EndedSchema, LineSchema } from './control-schemas.ts'

test('every body is described as its type says', () => {
  expectTypeOf<InferOutput<typeof CallerSchema>>().toEqualTypeOf<CallerBody>()
  expectTypeOf<InferOutput<typeof LineSchema>>().toEqualTypeOf<LineBody>()
  expectTypeOf<InferOutput<typeof EndedSchema>>().toEqualTypeOf<EndedBody>()
})
