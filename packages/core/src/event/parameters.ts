import * as v from 'valibot'
import { failure, type Result, success } from '../contract/failure.ts'
import { describeIssue, isPlainObject, plainObject, roundFields } from '../contract/json-value.ts'
import { OTHER_NAMES, type Parameters, SAMPLERS } from '../contract/prompt.ts'

const number = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.minValue(minimum), v.maxValue(maximum))
const whole = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum))

const MAX_STOPS = 64
const stop = v.union([
  v.pipe(v.string(), v.minLength(1)),
  v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.maxLength(MAX_STOPS)),
])

/** One schema for all these names. */
const each = <const Name extends string, Schema extends v.GenericSchema>(
  names: readonly Name[],
  schema: Schema,
) =>
  Object.fromEntries(names.map((name) => [name, v.nullish(schema)])) as {
    [Key in Name]: v.NullishSchema<Schema, undefined>
  }

const strings = v.pipe(v.array(v.string()), v.maxLength(MAX_STOPS))
const anyNumber = number(-1_000_000, 1_000_000)
const anyWhole = whole(-1_000_000_000, 1_000_000_000)
/** The JSON of a list of strings, or nothing. */
const LIST_TEXT = (() => {
  const text = String.raw`"(?:[^"\\\x00-\x1F]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"`
  return new RegExp(String.raw`^(?:\s*\[\s*(?:${text}\s*(?:,\s*${text}\s*)*)?\]\s*)?$`)
})()
const MAX_LIST_TEXT = 4_096

/** A wrong type would end the handler of a KoboldCPP server without a word; ranges are the server's to know. */
const samplerEntries = {
  ...each(SAMPLERS.numbers, anyNumber),
  ...each(SAMPLERS.wholes, anyWhole),
  ...each(SAMPLERS.switches, v.boolean()),
  ...each(SAMPLERS.texts, v.string()),
  ...each(SAMPLERS.lists, strings),
  // Some clients send the list as JSON.
  dry_sequence_breakers: v.nullish(
    v.union([
      v.pipe(
        v.string(),
        v.maxLength(MAX_LIST_TEXT),
        v.regex(LIST_TEXT, 'must be a list of strings, or the JSON of one'),
      ),
      strings,
    ]),
  ),
  sampler_order: v.nullish(v.pipe(v.array(whole(0, 6)), v.minLength(6), v.maxLength(7))),
  min_tokens: v.nullish(whole(0, 10_000_000)),
  parallel_tool_calls: v.nullish(v.boolean()),
  chat_template_kwargs: v.nullish(plainObject),
  rep_pen: v.nullish(number(0, 10)),
  repeat_penalty: v.nullish(number(0, 10)),
  ...each(['typical_p', 'tfs_z', 'top_n_sigma'], anyNumber),
  ...each(['repeat_last_n', 'repetition_penalty_range', 'mirostat_mode'], anyWhole),
  ignore_eos: v.nullish(v.boolean()),
  sampler_seed: v.nullish(whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
}

/**
 * Ranges: OpenAI's where it has the option, else what KoboldCPP takes. Temperature goes to 5, for local models are
 * run hotter than OpenAI's limit of 2.
 */
export const ParametersSchema = v.pipe(
  plainObject,
  v.object({
    max_tokens: v.nullish(whole(1, 10_000_000)),
    max_completion_tokens: v.nullish(whole(1, 10_000_000)),
    temperature: v.nullish(number(0, 5)),
    top_p: v.nullish(number(0, 1)),
    // -1 switches it off, as 0 does: vLLM and its clients write it so.
    top_k: v.nullish(whole(-1, 1_000_000)),
    min_p: v.nullish(number(0, 1)),
    repetition_penalty: v.nullish(number(0, 10)),
    presence_penalty: v.nullish(number(-2, 2)),
    frequency_penalty: v.nullish(number(-2, 2)),
    stop: v.nullish(stop),
    seed: v.nullish(whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    logit_bias: v.nullish(v.record(v.string(), v.number())),
    tools: v.nullish(v.array(plainObject)),
    tool_choice: v.nullish(v.union([v.string(), plainObject])),
    response_format: v.nullish(plainObject),
    grammar: v.nullish(v.string()),
    ...samplerEntries,
  }),
)

/** The same with numbers of JavaScript where an option is a number; tools and formats keep their digits. */
function roundParameters(given: object): object {
  const rounded = roundFields(given)
  if (!('logit_bias' in rounded) || !isPlainObject(rounded.logit_bias)) return rounded
  return { ...rounded, logit_bias: roundFields(rounded.logit_bias) }
}

type CheckedParameters = v.InferOutput<typeof ParametersSchema>

const OPTIONS: Readonly<Record<string, v.GenericSchema>> = ParametersSchema.pipe[1].entries

/**
 * Checks sampling options; unknown names are ignored, as in the rest of an event. `path`: where they stand. Looks at what
 * is given, one by one: an event has two or three options of sixty.
 */
export function readParameters(given: object, path: string): Result<Parameters> {
  const checked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(roundParameters(given))) {
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
    if (option === undefined) continue
    const parsed = v.safeParse(option, value, { abortEarly: true, abortPipeEarly: true })
    if (!parsed.success) {
      const details = describeIssue(parsed.issues[0], `${path}.${name}`)
      return failure({ code: 'invalid_input_format', details })
    }
    checked[name] = parsed.output
  }
  return success(toParameters(checked))
}

/**
 * Null and undefined mean unset, and so does what is empty: some servers refuse an empty list. `max_completion_tokens` is
 * OpenAI's newer name of `max_tokens`.
 */
function toParameters(input: CheckedParameters): Parameters {
  const { max_completion_tokens, max_tokens, stop, dry_sequence_breakers: breakers, ...rest } = input
  const parameters: Record<string, unknown> = {}
  const maxTokens = max_tokens ?? max_completion_tokens
  if (maxTokens != null) parameters.max_tokens = maxTokens
  if (!isUnset(stop)) parameters.stop = typeof stop === 'string' ? [stop] : stop
  if (breakers?.length) {
    // Its schema has seen that it is JSON.
    parameters.dry_sequence_breakers = typeof breakers === 'string' ? JSON.parse(breakers) : breakers
  }
  const given: Readonly<Record<string, unknown>> = rest
  for (const [name, value] of Object.entries(given)) {
    if (isUnset(value)) continue
    const known = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name as keyof typeof OTHER_NAMES] : name
    if (known === name || given[known] == null) parameters[known] = value
  }
  return parameters
}

const isUnset = (value: unknown): boolean =>
  value == null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)
