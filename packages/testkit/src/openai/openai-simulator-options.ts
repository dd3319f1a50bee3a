/** Whose habits to follow beside what all OpenAI-compatible servers share. */
export type OpenAIFlavour = 'llama.cpp' | 'vllm' | 'ollama' | 'llama-swap' | 'lm-studio' | 'hosted'

/** How the simulated server behaves. Times in milliseconds, speeds in tokens per second. */
export interface OpenAISimulatorOptions {
  /** Default 0: a free port. */
  readonly port?: number
  /**
   * `llama.cpp`: `/health`, `/props`, `/slots`, `/tokenize`, `/apply-template`, takes any name of a model. `vllm`:
   * `max_model_len`, its own `/tokenize`, 404 for an unknown model. `ollama`: `/api/ps`, wants a name. `llama-swap`: `/running`, wants a name.
   * `lm-studio`: `/api/v0/models`, wants a name, answers 200 to any path. `hosted`: nothing beside the API, wants a name.
   * Default `llama.cpp`.
   */
  readonly flavour?: OpenAIFlavour
  /** Default `['simulator']`. */
  readonly models?: readonly string[]
  /**
   * One of `models` is in memory at a time, and loading another takes so long: calls for it wait, first for those that
   * run. What the server says of its models then changes. Default: all are in memory.
   */
  readonly loadMs?: number
  /** In tokens. Default 8192. A prompt that does not fit is refused as llama.cpp does. */
  readonly contextLength?: number
  /** Default 200. `Infinity`: at once, without timers. */
  readonly tokensPerSecond?: number
  /** Default 0: reading the prompt takes no time. */
  readonly promptMs?: number
  /** Bearer token. Default: none. */
  readonly apiKey?: string
  /** Default: an honest text that says it is a simulator. */
  readonly answer?: (body: Readonly<Record<string, unknown>>) => string
  /** Fields that are refused with 400, by their name. Default: none. */
  readonly refusedFields?: readonly string[]
}

/** A reply as it stands in the script, sent instead of an answer. */
export interface ScriptedReply {
  /** Default 200. */
  readonly status?: number
  /** Beside `content-type`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, or text as it is. */
  readonly body?: unknown
  /** The events of a stream: each is sent as one `data:` frame, JSON unless it is a text. */
  readonly events?: readonly unknown[]
  /** After the last byte. Default `end`: a clean one. `cut`: without the end mark of the transfer. */
  readonly ending?: 'end' | 'hang' | 'cut'
  /** How long nothing at all is sent, in milliseconds: a long prompt is read. Default 0. */
  readonly afterMs?: number
}

const defaultAnswer = (): string =>
  'This is the AI Ticket simulator of an OpenAI-compatible server, not a language model. It says the same to all.'

/** The same with every default filled in. */
export type ResolvedOpenAIOptions = Required<Omit<OpenAISimulatorOptions, 'apiKey' | 'port' | 'loadMs'>> & {
  readonly apiKey: string | undefined
  readonly loadMs: number | undefined
}

export const resolveOpenAIOptions = (options: OpenAISimulatorOptions): ResolvedOpenAIOptions => ({
  flavour: options.flavour ?? 'llama.cpp',
  models: options.models ?? ['simulator'],
  contextLength: options.contextLength ?? 8192,
  tokensPerSecond: options.tokensPerSecond ?? 200,
  promptMs: options.promptMs ?? 0,
  answer: options.answer ?? defaultAnswer,
  refusedFields: options.refusedFields ?? [],
  apiKey: options.apiKey,
  loadMs: options.loadMs,
})

/** One call for a generation as the simulator saw it. Live: it changes while the call runs. */
export interface OpenAICall {
  /** As it was sent. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed JSON. */
  readonly body: Readonly<Record<string, unknown>>
  /** `dropped`: the caller closed its connection, and the generation stopped. */
  state: 'running' | 'finished' | 'dropped'
  /** The status that was sent, if any. */
  status?: number
  /** So far; a scripted reply generates none. */
  tokensGenerated: number
}
