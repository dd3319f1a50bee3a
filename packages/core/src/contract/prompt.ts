export const CONTEXT_POLICIES = [
  ...(['refuse', 'drop_oldest', 'cut_left', 'off'] as const),
] as const satisfies readonly ContextPolicy[]
/** A part of a turn that is an image. */
export interface ImagePart {
  /** Always `image_url`. */
  type: 'image_url'
  /** `url` is a `data:image/…` URL: addresses are not fetched. `detail` is for servers that know it. */
  image_url: { url: string; detail?: string }
}

/** A part of a turn that is text. */
export interface TextPart {
  /** Always `text`. */
  type: 'text'
  /** What it says. */
  text: string
}

/** Who speaks in a turn. */
export type Role = 'system' | 'user' | 'assistant' | 'tool'

/** One turn of a conversation, checked: a wrong one would kill the handler of a KoboldCPP server. */
export interface Turn {
  /** Who speaks. */
  role: Role
  /** The text of the turn; parts only where it holds images. Null only beside `tool_calls`. */
  content: string | (TextPart | ImagePart)[] | null
  /** Of the speaker, where there are several of one role; for a tool, of its function. */
  name?: string
  /** In a turn of a tool: which call it answers. */
  tool_call_id?: string
  /** The calls that an assistant asked for, in OpenAI's shape. */
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

/** The names of samplers that only some servers know, by KoboldCPP's names. */
export const SAMPLER_NAMES: readonly (Sampler | 'dry_sequence_breakers' | 'sampler_order')[] = [
  ...Object.values(SAMPLERS).flat(),
  'dry_sequence_breakers',
  'sampler_order',
]

/** Other names of parameters, as other servers and their clients write them, each with the one that AI Ticket uses. */
export const OTHER_NAMES = {
  /** The same as `repetition_penalty`. */
  rep_pen: 'repetition_penalty',
  /** The same as `repetition_penalty`. */
  repeat_penalty: 'repetition_penalty',
  /** The same as `rep_pen_range`. */
  repeat_last_n: 'rep_pen_range',
  /** The same as `rep_pen_range`. */
  repetition_penalty_range: 'rep_pen_range',
  /** The same as `typical`. */
  typical_p: 'typical',
  /** The same as `tfs`. */
  tfs_z: 'tfs',
  /** The same as `nsigma`. */
  top_n_sigma: 'nsigma',
  /** The same as `mirostat`. */
  mirostat_mode: 'mirostat',
  /** The same as `ban_eos_token`. */
  ignore_eos: 'ban_eos_token',
  /** The same as `seed`. */
  sampler_seed: 'seed',
} as const

/**
 * Options that only some servers know (docs/openai.md says which). A server that does not know one answers without it, or
 * refuses it by name. Unset: the server's own default.
 */
export interface SamplerParameters {
  /** Adaptive-P: how fast its running mean forgets, from 0 to 1. */
  adaptive_decay?: number
  /** Adaptive-P: the probability that chosen tokens should have on average. Negative: off. */
  adaptive_target?: number
  /** DRY: the base that a longer repetition raises its penalty by. */
  dry_base?: number
  /** DRY: the strength of the penalty for repeated sequences. 0: off. */
  dry_multiplier?: number
  /** DRY: the longest repetition that has no penalty, in tokens. */
  dry_allowed_length?: number
  /** DRY: how far back repetitions are looked for, in tokens. */
  dry_penalty_last_n?: number
  /** DRY: texts that end a sequence, at most 64. */
  dry_sequence_breakers?: string[]
  /** Dynamic temperature: the shape of its curve. */
  dynatemp_exponent?: number
  /** Dynamic temperature: the most that it differs from `temperature`. 0: off. */
  dynatemp_range?: number
  /** How strongly the answer is steered away from `negative_prompt`. 1: off. */
  guidance_scale?: number
  /** What the answer is steered away from; needs `guidance_scale`. */
  negative_prompt?: string
  /** Mirostat: 0 is off; 1 and 2 are its versions. */
  mirostat?: number
  /** Mirostat: the learning rate. */
  mirostat_eta?: number
  /** Mirostat: the surprise that it aims at. */
  mirostat_tau?: number
  /** Top-n-sigma: keeps tokens within so many standard deviations of the best. */
  nsigma?: number
  /** How far back `repetition_penalty` looks, in tokens. */
  rep_pen_range?: number
  /** How much less `repetition_penalty` counts for tokens further back. */
  rep_pen_slope?: number
  /** Quadratic sampling: the shape of its curve. */
  smoothing_curve?: number
  /** Quadratic sampling: its strength. 0: off. */
  smoothing_factor?: number
  /** Tail-free sampling. 1: off. */
  tfs?: number
  /** Top-A sampling. 0: off. */
  top_a?: number
  /** Locally typical sampling. 1: off. */
  typical?: number
  /** XTC: how likely it is to leave out the top tokens, from 0 to 1. 0: off. */
  xtc_probability?: number
  /** XTC: the probability from which a token counts as a top one. */
  xtc_threshold?: number
  /** True: the model cannot end its answer, which then runs to `max_tokens`. */
  ban_eos_token?: boolean
  /** True: the answer goes on behind the end that the model sets. */
  bypass_eos?: boolean
  /** True: `grammar` goes on where the last call left it, instead of from its start. */
  grammar_retain_state?: boolean
  /** True: special tokens are part of the text. */
  render_special?: boolean
  /** Ids of tokens that must not come, separated by commas. */
  custom_token_bans?: string
  /** Texts that must not come, at most 64. */
  banned_strings?: string[]
  /** Tokens that must not come, as text, at most 64. */
  banned_tokens?: string[]
  /** How long a reasoning model thinks: `low`, `medium`, `high`, or what the model knows. */
  reasoning_effort?: string
  /** The order of samplers: the numbers 0 to 6, six or seven of them. */
  sampler_order?: number[]
  /** The fewest tokens of an answer, for vLLM and llama.cpp. */
  min_tokens?: number
  /** False: at most one tool call in an answer. */
  parallel_tool_calls?: boolean
  /** Variables of the model's chat template, for vLLM and llama.cpp. */
  chat_template_kwargs?: Record<string, unknown>
}

/** Sampling and length, checked; unset options are absent, never null. */
export interface Parameters extends SamplerParameters {
  /** The most tokens of the answer, from 1. Default 512, or what is left of the context if that is less. */
  max_tokens?: number
  /** From 0 (the likeliest token) to 5. Default 0.7. */
  temperature?: number
  /** Keeps the likeliest tokens up to this sum of probabilities, from 0 to 1. Default 1: all. */
  top_p?: number
  /** Keeps this many of the likeliest tokens. 0 and -1: off. Unset: the server's default. */
  top_k?: number
  /** Keeps tokens with at least this share of the best one's probability, from 0 to 1. Unset: the server's default. */
  min_p?: number
  /** Multiplies down what has come already, from 0 to 10; 1 is off. Unset: the server's default. */
  repetition_penalty?: number
  /** From -2 to 2; above 0, tokens that have come already are less likely. Unset: the server's default. */
  presence_penalty?: number
  /** From -2 to 2; above 0, tokens are less likely the more often they have come. Unset: the server's default. */
  frequency_penalty?: number
  /** Texts that end the answer before they come, at most 64. Unset: none. */
  stop?: string[]
  /** Makes an answer repeatable where the server can. Unset: AI Ticket draws one for each call of a KoboldCPP server. */
  seed?: number
  /** Added to the scores of tokens, by token id. */
  logit_bias?: Record<string, number>
  /** Functions that the model may ask to have called, as in OpenAI's API. AI Ticket never calls them. */
  tools?: Record<string, unknown>[]
  /** `auto`, `none`, `required`, or one function by name. Left out if there are no tools and it says `auto` or `none`. */
  tool_choice?: string | Record<string, unknown>
  /** OpenAI's `json_object` or `json_schema`: the answer is validated as with a `schema` in the event. */
  response_format?: Record<string, unknown>
  /** A grammar in GBNF that the answer must follow, for servers that know it (KoboldCPP, llama.cpp). */
  grammar?: string
}

/** What an event asks: the whole conversation. */
export interface Prompt {
  /** The whole list of turns, system and assistant turns included: what backends get. */
  turns: Turn[]
  /** Sampling and length: those in the content, overridden by those of the event. */
  parameters: Parameters
}

/**
 * What happens to a prompt that does not fit: `refuse` it (`context_length_exceeded`), `drop_oldest` turns but never a
 * system turn nor the last user turn, `cut_left`: the same, and then the beginning of the last user turn, as KoboldCPP
 * does it, or `off`: send it as it is, and let the server cut it.
 */
export type ContextPolicy = 'refuse' | 'drop_oldest' | 'cut_left' | 'off'

/** No tokenizer makes more of JSON than one token for so many bytes. */
const BYTES_PER_TOOL_TOKEN = 3

/** The most tokens of what a prompt holds beside its texts: definitions of tools, and calls of them. */
export function mostToolTokens(tools: readonly unknown[] | undefined, turns: readonly Turn[]): number {
  if (tools === undefined && !turns.some(({ tool_calls }) => tool_calls)) return 0
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
