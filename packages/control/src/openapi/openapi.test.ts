import type { InferOutput } from 'valibot'
import { expectTypeOf, test } from 'vitest'
import type { CallerBody } from '../bodies/caller.ts'
import type { ChangedConfigBody, ConfigBody, ConfigChangeListBody } from '../bodies/config.ts'
import type { FeedEvents } from '../bodies/feed.ts'
import type { KeyListBody } from '../bodies/keys.ts'
import type { EndedBody, LineBody } from '../bodies/line.ts'
import type { SeriesBody } from '../bodies/series.ts'
import type {
  CallerSchema,
  ChangedConfigSchema,
  ConfigChangeListSchema,
  ConfigSchema,
  EndedSchema,
  FEED_EVENTS,
  KeyListSchema,
  LineSchema,
  SeriesSchema,
} from './control-schemas.ts'

test('every body is described as its type says', () => {
  expectTypeOf<InferOutput<typeof CallerSchema>>().toEqualTypeOf<CallerBody>()
  expectTypeOf<InferOutput<typeof ConfigSchema>>().toEqualTypeOf<ConfigBody>()
  expectTypeOf<InferOutput<typeof ChangedConfigSchema>>().toEqualTypeOf<ChangedConfigBody>()
  expectTypeOf<InferOutput<typeof ConfigChangeListSchema>>().toEqualTypeOf<ConfigChangeListBody>()
  expectTypeOf<InferOutput<typeof KeyListSchema>>().toEqualTypeOf<KeyListBody>()
  expectTypeOf<InferOutput<typeof LineSchema>>().toEqualTypeOf<LineBody>()
  expectTypeOf<InferOutput<typeof SeriesSchema>>().toEqualTypeOf<SeriesBody>()
  type Told = { [Name in keyof typeof FEED_EVENTS]: InferOutput<(typeof FEED_EVENTS)[Name]> }
  expectTypeOf<Told['desk']>().toEqualTypeOf<FeedEvents['desk']>()
  expectTypeOf<Told['config']>().toEqualTypeOf<FeedEvents['config']>()
  expectTypeOf<Told['hello']>().toEqualTypeOf<FeedEvents['hello']>()
  expectTypeOf<Told['ticket']>().toEqualTypeOf<FeedEvents['ticket']>()
  expectTypeOf<keyof Told>().toEqualTypeOf<keyof FeedEvents>()
  expectTypeOf<InferOutput<typeof EndedSchema>>().toEqualTypeOf<EndedBody>()
})
