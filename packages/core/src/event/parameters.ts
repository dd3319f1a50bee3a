import * as v from 'valibot'
import { isPlainObject, plainObject, roundFields } from '../contract/json-value.ts'
import type { Parameters } from '../contract/prompt.ts'

const number = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.minValue(minimum), v.maxValue(maximum))
const whole = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum))

const MAX_STOPS = 64
const stop = v.union([
  v.pipe(v.string(), v.minLength(1)),
  v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.maxLength(MAX_STOPS)),
])

/**
 * Ranges: OpenAI's where it has the option, else what KoboldCPP takes. Temperature goes to 5, for local models are
 * run hotter than OpenAI's limit of 2.
 */
const ParametersSchema = v.pipe(
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
  }),
)

/** The same with numbers of JavaScript where an option is a number; tools and formats keep their digits. */
export function roundParameters(given: object): object {
  const rounded = roundFields(given)
  if (!('logit_bias' in rounded) || !isPlainObject(rounded.logit_bias)) return rounded
  return { ...rounded, logit_bias: roundFields(rounded.logit_bias) }
}

export type ParametersInput = v.InferOutput<typeof ParametersSchema>

/** Checks sampling options; unknown names are ignored, as in the rest of an event. */
export { ParametersSchema }

/**
 * Null and undefined mean unset, and so does what is empty: some servers refuse an empty list. `max_completion_tokens` is
 * OpenAI's newer name of `max_tokens`.
 */
export function toParameters(input: ParametersInput): Parameters {
  const { max_completion_tokens, max_tokens, stop, ...rest } = input
  const parameters: Record<string, unknown> = {}
  const maxTokens = max_tokens ?? max_completion_tokens
  if (maxTokens != null) parameters.max_tokens = maxTokens
  if (!isUnset(stop)) parameters.stop = typeof stop === 'string' ? [stop] : stop
  for (const [name, value] of Object.entries(rest)) {
    if (!isUnset(value)) parameters[name] = value
  }
  return parameters
}

const isUnset = (value: unknown): boolean =>
  value == null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)
