import { EventSchema, MessageSchema, ParametersSchema } from '@ai-ticket/core/schemas'
import * as v from 'valibot'
import { described } from './described.ts'
import { EVENT_WORDS } from './event-schemas.ts'

const one = v.nullish(v.literal(1))
const no = v.nullish(v.literal(false))
const nothing = v.optional(v.null())
const empty = v.nullish(v.union([v.literal(''), v.pipe(v.array(v.unknown()), v.length(0))]))

/** Options that are taken only with a value that asks for nothing; `find-unsupported.ts` refuses the rest by name. */
export const HarmlessOptionsSchema = v.object({
  n: one,
  best_of: one,
  logprobs: no,
  top_logprobs: v.nullish(v.literal(0)),
  echo: no,
  suffix: empty,
  functions: empty,
  function_call: nothing,
  modalities: v.nullish(v.array(v.literal('text'))),
  audio: nothing,
})

const common = {
  model: EventSchema.entries.model,
  stream: v.nullish(v.boolean()),
  stream_options: v.nullish(v.object({ include_usage: v.nullish(v.boolean()) })),
  ...ParametersSchema.pipe[1].entries,
  ...HarmlessOptionsSchema.entries,
}

const WORDS = { model: EVENT_WORDS.model, stream: 'The answer in chunks, as it is made.' }

/** A body of `POST /v1/chat/completions`. */
export const ChatRequestSchema = v.pipe(
  described(v.object({ messages: v.pipe(v.array(MessageSchema), v.minLength(1)), ...common }), WORDS),
  v.description('What is not named here is ignored, null means unset.'),
)

/** A body of `POST /v1/completions`. */
export const TextRequestSchema = v.pipe(
  described(
    v.object({ prompt: v.union([v.string(), v.pipe(v.array(v.string()), v.length(1))]), ...common }),
    WORDS,
  ),
  v.description('What is not named here is ignored, null means unset.'),
)
