import type { Failure } from '@ai-ticket/core'

type Body = Readonly<Record<string, unknown>>

interface Option {
  /** Whether this value may be ignored: it asks for nothing that the answer would lack. */
  readonly isHarmless: (value: unknown) => boolean
  readonly instead: string
}

const isOne = (value: unknown) => value === 1
const isFalse = (value: unknown) => value === false
const isEmpty = (value: unknown) => value === '' || (Array.isArray(value) && value.length === 0)
const never = () => false

const ONE_ANSWER = 'must be 1: an event has one answer. Send several requests.'
const NO_LOGPROBS = 'is not supported: the desk hands on no log probabilities. Leave it out.'

/**
 * Options that change what the answer is or holds. An answer without them would be the wrong one, so they are refused;
 * whatever stands neither here nor among the parameters is ignored.
 */
const OPTIONS: Readonly<Record<string, Option>> = {
  n: { isHarmless: isOne, instead: ONE_ANSWER },
  best_of: { isHarmless: isOne, instead: ONE_ANSWER },
  logprobs: { isHarmless: isFalse, instead: NO_LOGPROBS },
  top_logprobs: { isHarmless: (value) => value === 0, instead: NO_LOGPROBS },
  echo: { isHarmless: isFalse, instead: 'is not supported: put the prompt before the answer yourself.' },
  suffix: { isHarmless: isEmpty, instead: 'is not supported: the desk only continues text.' },
  functions: { isHarmless: isEmpty, instead: 'is deprecated and not supported. Use `tools`.' },
  function_call: { isHarmless: never, instead: 'is deprecated and not supported. Use `tool_choice`.' },
  modalities: {
    isHarmless: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
    instead: 'must be ["text"]: answers are text.',
  },
  audio: { isHarmless: never, instead: 'is not supported: answers are text.' },
}

/** The first option that the desk cannot honour, as a refusal that names it. Null means unset. */
export function findUnsupported(body: Body): Failure | undefined {
  for (const [name, { isHarmless, instead }] of Object.entries(OPTIONS)) {
    const value = Object.hasOwn(body, name) ? body[name] : undefined
    if (value == null || isHarmless(value)) continue
    return { code: 'invalid_input_format', details: `\`${name}\` ${instead}` }
  }
  return undefined
}
