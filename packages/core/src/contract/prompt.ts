export const CONTEXT_POLICIES = ['refuse', 'drop_oldest', 'off'] as const satisfies readonly ContextPolicy[]
/** A part of a turn that is not text: an image, as a URL or a data URL. */
export interface ImagePart {
  type: 'image_url'
  image_url: { url: string; detail?: string }
}

export interface TextPart {
  type: 'text'
  text: string
}

export type Role = 'system' | 'user' | 'assistant' | 'tool'

/** One turn of a conversation, checked: a wrong one would kill the handler of a KoboldCPP server. */
export interface Turn {
  role: Role
  /** The text of the turn; parts only where it holds images. Null only beside `tool_calls`. */
  content: string | (TextPart | ImagePart)[] | null
  name?: string
  tool_call_id?: string
  tool_calls?: unknown[]
}

/**
 * Options of sampling that only some servers know, by KoboldCPP's names and the kind of their value. These and no others
 * are handed on.
 */
export const SAMPLERS = {
  numbers: [
    ...(['adaptive_decay', 'adaptive_target', 'dry_base', 'dry_multiplier', 'dynatemp_exponent'] as const),
    ...(['dynatemp_range', 'guidance_scale', 'mirostat_eta', 'mirostat_tau', 'nsigma'] as const),
    ...(['rep_pen_slope', 'smoothing_curve', 'smoothing_factor', 'tfs', 'top_a', 'typical'] as const),
    ...(['xtc_probability', 'xtc_threshold'] as const),
  ],
  wholes: ['dry_allowed_length', 'dry_penalty_last_n', 'mirostat', 'rep_pen_range'],
  switches: ['ban_eos_token', 'bypass_eos', 'grammar_retain_state', 'render_special'],
  texts: ['custom_token_bans', 'negative_prompt', 'reasoning_effort'],
  lists: ['banned_strings', 'banned_tokens'],
} as const

type Sampler = (typeof SAMPLERS)[keyof typeof SAMPLERS][number]

export const SAMPLER_NAMES: readonly (Sampler | 'dry_sequence_breakers' | 'sampler_order')[] = [
  ...Object.values(SAMPLERS).flat(),
  'dry_sequence_breakers',
  'sampler_order',
]

/** What other servers and their clients call the same. */
export const OTHER_NAMES = {
  rep_pen: 'repetition_penalty',
  repeat_penalty: 'repetition_penalty',
  repeat_last_n: 'rep_pen_range',
  repetition_penalty_range: 'rep_pen_range',
  typical_p: 'typical',
  tfs_z: 'tfs',
  top_n_sigma: 'nsigma',
  mirostat_mode: 'mirostat',
  ignore_eos: 'ban_eos_token',
  sampler_seed: 'seed',
} as const

type KindedSamplers = {
  [Name in (typeof SAMPLERS.numbers)[number] | (typeof SAMPLERS.wholes)[number]]?: number
} & { [Name in (typeof SAMPLERS.switches)[number]]?: boolean } & {
  [Name in (typeof SAMPLERS.texts)[number]]?: string
} & { [Name in (typeof SAMPLERS.lists)[number]]?: string[] }

/** Options that only some servers know. */
export interface SamplerParameters extends KindedSamplers {
  dry_sequence_breakers?: string[]
  sampler_order?: number[]
  /** For vLLM and llama.cpp. */
  min_tokens?: number
  parallel_tool_calls?: boolean
  chat_template_kwargs?: Record<string, unknown>
}

/** Sampling and length, as the caller gave them; unset fields are absent, never null. */
export interface Parameters extends SamplerParameters {
  max_tokens?: number
  temperature?: number
  top_p?: number
  top_k?: number
  min_p?: number
  repetition_penalty?: number
  presence_penalty?: number
  frequency_penalty?: number
  stop?: string[]
  seed?: number
  logit_bias?: Record<string, number>
  tools?: unknown[]
  tool_choice?: unknown
  response_format?: Record<string, unknown>
  /** GBNF, for servers that know it (KoboldCPP, llama.cpp). */
  grammar?: string
}

/** What an event asks: the whole conversation, and its user text. */
export interface Prompt {
  /** The whole list of turns, system and assistant turns included: what backends get. */
  turns: Turn[]
  /** The user turns, joined by a newline. */
  text: string
  parameters: Parameters
}

/**
 * What happens to a prompt that does not fit: `refuse` it (`context_length_exceeded`), `drop_oldest` turns but never a
 * system turn nor the last user turn, or `off`: send it as it is, and let the server cut it.
 */
export type ContextPolicy = 'refuse' | 'drop_oldest' | 'off'

/** No tokenizer makes more of JSON than one token for so many bytes. */
const BYTES_PER_TOOL_TOKEN = 3

/** The most tokens of what a prompt holds beside its texts: definitions of tools, and calls of them. */
export function mostToolTokens(tools: readonly unknown[] | undefined, turns: readonly Turn[]): number {
  const held = turns.flatMap(({ tool_calls = [] }) => tool_calls)
  const all = tools === undefined ? held : [...tools, ...held]
  return all.length === 0 ? 0 : Math.ceil(bytesOf(all) / BYTES_PER_TOOL_TOKEN)
}

/** What has no JSON is refused when it is to be sent. */
function bytesOf(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value))
  } catch {
    return 0
  }
}

/** The text parts of a turn, joined by line feeds. Images and tool calls have no text. */
export function turnText({ content }: Turn): string {
  if (typeof content === 'string') return content
  return (content ?? []).flatMap((part) => (part.type === 'text' && part.text ? [part.text] : [])).join('\n')
}
