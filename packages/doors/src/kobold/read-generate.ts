import { type EventOptions, type Failure, OTHER_NAMES, SAMPLER_NAMES } from '@ai-ticket/core'
import { namesIn } from '@ai-ticket/http-server'
import { genkeyIn } from './genkeys.ts'

type Body = Readonly<Record<string, unknown>>

/** A request for a text, as the desk understands it. */
interface AskedText {
  /** For the dispatcher, which checks types and ranges. */
  readonly event: Readonly<Record<string, unknown>>
  readonly options: EventOptions
  readonly genkey: string | undefined
  /** A length of 0 or less: the answer is an empty text, as KoboldCPP's is. */
  readonly wantsNothing: boolean
}

export type ReadText =
  | { readonly ok: true; readonly value: AskedText }
  | { readonly ok: false; readonly failure: Failure }

/** The length of an answer whose request names none, as in KoboldCPP 1.115.1. */
export const DEFAULT_MAX_LENGTH = 1_536

/** What KoboldCPP 1.115.1 takes where a request says nothing. */
const DEFAULTS = { temperature: 0.7, top_p: 0.92, top_k: 100 }

/** What goes on to a backend as it is. */
const PARAMETERS = [
  ...['temperature', 'top_p', 'top_k', 'min_p', 'presence_penalty', 'logit_bias', 'grammar'],
  ...SAMPLER_NAMES,
  ...Object.keys(OTHER_NAMES),
]

/** What is read, and what KoboldCPP or its clients know beside: that is left out without a word. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['prompt', 'memory', 'max_length', 'max_context_length', 'images', 'stop_sequence', 'stop', 'genkey'],
  ...PARAMETERS,
  ...['audio', 'ban_eos_token', 'banned_strings', 'bypass_eos', 'custom_token_bans', 'grammar_retain_state'],
  ...['guidance_scale', 'logprobs', 'max_tokens', 'n', 'negative_prompt', 'quiet', 'reasoning_effort'],
  ...[
    'replace_instruct_placeholders',
    'singleline',
    'trim_stop',
    'use_default_badwordsids',
    'using_openai_tools',
  ],
  ...['disable_input_formatting', 'disable_output_formatting', 'frmtadsnsp', 'frmtrmblln', 'frmtrmspch'],
  ...['frmttriminc', 'streaming', 'use_authors_note', 'use_memory', 'use_story', 'use_userscripts'],
  ...['use_world_info', 'can_abort', 'stream'],
])

/** More pictures than any model takes. */
const MOST_IMAGES = 16

/** A body of `/api/v1/generate` or of its stream. Names that it does not know are ignored, as KoboldCPP does. */
export function readGenerate(body: unknown): ReadText {
  if (!isRecord(body)) return refusal('The body must be a JSON object.')
  const { prompt = '', memory = '', max_length: maxLength = DEFAULT_MAX_LENGTH, images } = withoutNull(body)
  if (typeof prompt !== 'string') return refusal('`prompt` must be a string.')
  if (typeof memory !== 'string') return refusal('`memory` must be a string.')
  if (!isWhole(maxLength)) return refusal('`max_length` must be a whole number.')
  const pictures = readImages(images)
  if (pictures === undefined) {
    return refusal(`\`images\` must be a list of at most ${MOST_IMAGES} pictures in base64.`)
  }
  const stops = readStops(body.stop_sequence ?? body.stop)
  if (stops === undefined) return refusal('`stop_sequence` must be a list of strings.')
  const text = memory + prompt
  const madeOf = namesIn(body, KNOWN)
  return {
    ok: true,
    value: {
      event: {
        content: contentOf(text, pictures),
        parameters: { ...parametersOf(body), stop: stops, max_tokens: Math.max(1, maxLength) },
        context_policy: 'cut_left',
      },
      options: {
        continues: true,
        takesAnyTurn: true,
        maxTokensIsCeiling: true,
        partials: false,
        keepsFirst: memory.length,
        ...limitOf(body.max_context_length),
        ...(madeOf && { madeOf }),
      },
      genkey: genkeyIn(body),
      wantsNothing: maxLength < 1,
    },
  }
}

const contentOf = (text: string, pictures: readonly string[]): object =>
  pictures.length === 0
    ? { prompt: text }
    : { messages: [{ role: 'user', content: [{ type: 'text', text }, ...pictures.map(imagePart)] }] }

const imagePart = (base64: string) => ({
  type: 'image_url',
  image_url: { url: base64.startsWith('data:') ? base64 : `data:${typeOf(base64)};base64,${base64}` },
})

/** By their first bytes; what is neither is mostly PNG. */
const typeOf = (base64: string): string => (base64.startsWith('/9j/') ? 'image/jpeg' : 'image/png')

function readImages(images: unknown): readonly string[] | undefined {
  if (images === undefined) return []
  if (!Array.isArray(images) || images.length > MOST_IMAGES) return undefined
  return images.every((one) => typeof one === 'string') ? images.filter((one) => one !== '') : undefined
}

/** Clients send empty ones along, which would end every text at once. */
function readStops(stops: unknown): readonly string[] | undefined {
  if (stops == null) return []
  const list: unknown = typeof stops === 'string' ? [stops] : stops
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) return undefined
  return list.filter((one) => one !== '')
}

function parametersOf(body: Body): Body {
  const parameters: Record<string, unknown> = { ...DEFAULTS }
  for (const name of PARAMETERS) if (body[name] != null) parameters[name] = body[name]
  return parameters
}

/** An upper limit; one that makes no sense is none. */
const limitOf = (given: unknown): Pick<EventOptions, 'contextLimit'> =>
  isWhole(given) && given > 0 ? { contextLimit: given } : {}

const withoutNull = (body: Body): Body =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))

const isWhole = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value)

const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const refusal = (details: string) =>
  ({ ok: false, failure: { code: 'invalid_input_format', details } }) as const
