import type { FinishReason, ToolCall, Usage } from './outcome.ts'
import type { Parameters, Turn } from './prompt.ts'

/** One way of asking a backend, and what it can carry. Endpoints that cannot carry a request are skipped. */
export interface Endpoint {
  /** Its name in attempts, logs and metrics: `chat`, `text`, `native`. */
  readonly name: string
  /** Turns of their own for system and assistant. False: the backend writes them as a transcript. */
  readonly turns: boolean
  /** True: it takes images as parts of a turn. */
  readonly images: boolean
  /** True: it takes definitions of tools, and answers with calls of them. */
  readonly tools: boolean
  /** What the server can be made to obey here: a JSON Schema, a grammar made of one, or neither. */
  readonly schema: 'json_schema' | 'grammar' | false
  /**
   * Without a seed the server takes one from its clock, so that calls of one second get one answer: the desk draws a seed
   * for each call. Default false.
   */
  readonly seedsByClock?: boolean
}

/** What a backend is asked to generate. Complete: defaults are filled in, unset options are absent. */
export interface GenerationRequest {
  /** Unique per call; what a cancel names (KoboldCPP's `genkey`). */
  readonly key: string
  /** The whole conversation, never empty. */
  readonly turns: readonly Turn[]
  /** Sampling and length. These three are always there; `max_tokens` counts tokens of the answer. */
  readonly parameters: Parameters & {
    readonly max_tokens: number
    readonly temperature: number
    readonly top_p: number
  }
  /** The answer may be as long as the server lets it: then `max_tokens` is for servers that have to be given one. */
  readonly isOpenEnded?: boolean
  /** The model's name as the caller or a configured alias gave it; absent: whatever is loaded. */
  readonly model?: string
  /** JSON Schema of the answer, where the server shall be made to obey it. */
  readonly schema?: Record<string, unknown>
  /** The caller goes on with the prompt as a text and wants what follows as it came: no part of it is reasoning. */
  readonly continues?: boolean
  /** Headers for the backend, for instance `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** How an answer is wanted. */
export interface GenerationOptions {
  /** Aborting it stops the generation; the iterable then settles only when the backend is known to have stopped. */
  readonly signal: AbortSignal
  /** True: deltas are wanted as they come. False: only the end counts, and the backend picks the cheapest way. */
  readonly stream: boolean
}

/** What `generate` yields: any number of deltas, then one end. */
export type GenerationEvent =
  | { readonly type: 'delta'; readonly text: string; readonly reasoning?: string }
  | GenerationEnd

/** A whole answer. */
export interface GenerationEnd {
  /** Always `end`. */
  readonly type: 'end'
  /** The whole text, as it came. */
  readonly text: string
  /** Why it ended, in one of four words. */
  readonly finish_reason: FinishReason
  /** The reason as the server spelled it; null: it gave none. */
  readonly raw_finish_reason: string | null
  /** Token counts of the server. Absent: it does not really know them. */
  readonly usage?: Usage
  /** Tokens of the prompt that were not read, where the server says so. */
  readonly cached_prompt_tokens?: number
  /** How long it read the prompt and wrote the answer, in milliseconds, where the server says so. */
  readonly times?: { readonly promptMs: number; readonly completionMs: number }
  /** Tools that the model asks for. */
  readonly tool_calls?: ToolCall[]
  /** Thoughts that stand beside the text. */
  readonly reasoning?: string
  /** The text ended within a block of thoughts that was never closed: it holds no answer. */
  readonly ended_in_thoughts?: true
  /** The model that answered, as the server names it. */
  readonly model?: string
}

/** What a look at a backend says. Asking must never disturb or wait behind a running generation. */
export interface BackendState {
  /**
   * Names that it answers for: those of the loaded model, and where the server loads models when they are asked for, of
   * all that it can load. Empty: none is loaded or the server does not say.
   */
  readonly models: readonly string[]
  /** Of them, those in memory, where the server loads the others when they are asked for. Absent: it does not say. */
  readonly loaded?: readonly LoadedModel[]
  /** The real context length in tokens. */
  readonly contextLength?: number
  /** False while a generation runs, ours or somebody else's. */
  readonly idle?: boolean
  /** Calls that wait inside the server. */
  readonly waiting?: number
  /** Tokens per second of the last generation. */
  readonly generationSpeed?: number
  /** Tokens per second at which it read its last prompt. */
  readonly promptSpeed?: number
  /** Of the server program. */
  readonly version?: string
  /** False: the server wants a key, and ours is missing or wrong. Absent: it does not say. */
  readonly authorised?: boolean
  /** False: no model is loaded. Absent: it does not say. */
  readonly hasModel?: boolean
  /** False: its model takes no images, and the server drops them without a word. Absent: it does not say. */
  readonly vision?: boolean
  /** Generations that the server has finished since its start, ours and those of others. */
  readonly served?: number
  /** Since its start, in milliseconds. */
  readonly upMs?: number
  /** True: the server was too slow to tell part of it. What was known before stays, and the desk soon asks again. */
  readonly incomplete?: boolean
}

/** A model in the memory of a server. */
export interface LoadedModel {
  /** As the server lists it. */
  readonly name: string
  /** Its real context length in tokens. Absent: the server does not say. */
  readonly contextLength?: number
}

/** A server as traces name it. */
export interface BackendServer {
  /** The kind of server, `gen_ai.provider.name`: `koboldcpp`, `openai`. */
  readonly provider: string
  /** Its host, without scheme, user or path. */
  readonly address: string
  /** The TCP port, also where the address names none (80 or 443). */
  readonly port: number
}

/**
 * A server that answers prompts. The dispatcher knows no more of it than this.
 *
 * Duties of `generate`:
 * - yield any number of `delta` events (streaming callers only), then exactly one `end`;
 * - throw a `BackendError` for everything that is not a whole answer;
 * - having written the request, end (by `end`, by a throw, or after an abort) only when the server is known to have
 *   stopped working for it, or is dead: a slot is free again when `generate` has settled.
 */
export interface Backend {
  /** Its name in events, outcomes, logs and metrics; another one for each backend of a dispatcher. */
  readonly name: string
  /** The kind of server, for traces. Default: an unknown server. */
  readonly server?: BackendServer
  /** How many prompts the server keeps when it has read them. Default: one for each of its slots. */
  readonly warmPrompts?: number
  /** The model that it asks the server for where an event names none. Default: whatever is loaded. */
  readonly defaultModel?: string
  /** In order of preference. */
  readonly endpoints: readonly Endpoint[]
  /** Answers one request. Its duties are listed above. Throws a `BackendError`, also while it is read. */
  generate(
    endpoint: Endpoint,
    request: GenerationRequest,
    options: GenerationOptions,
  ): AsyncIterable<GenerationEvent>
  /** Throws a `BackendError` when the server does not answer. */
  probe(signal: AbortSignal): Promise<BackendState>
  /**
   * Whether this server obeys this very schema at an endpoint whose `schema` says that it can. Absent: it does. Where
   * it does not, the desk tells the model of the schema instead. Never throws; asked before each event with a schema,
   * so an answer worth keeping is kept.
   */
  enforces?(endpoint: Endpoint, schema: Record<string, unknown>, signal: AbortSignal): Promise<boolean>
  /**
   * Tokens of the whole prompt as the model will see it, its tools included, without the answer. Undefined: this server
   * cannot count them.
   */
  countTokens?(request: GenerationRequest, signal: AbortSignal): Promise<number | undefined>
  /** The ids of a text's tokens, as the model reads it. Undefined: this server does not tell them. */
  tokenize?(text: string, signal: AbortSignal): Promise<readonly number[] | undefined>
  /**
   * Stops a generation of another process by its key. Resolves when it is known to be over, or the server is dead or
   * cannot be asked; rejects with the reason of the signal.
   */
  abandon?(key: string, signal: AbortSignal): Promise<void>
  /** Lets go of connections and timers. May be called twice. */
  close(): Promise<void>
}

/** What a backend met, in its own terms; `classify` alone turns it into a code. */
export type BackendErrorKind =
  /** Refused, no such host, or no connection in time: nothing was sent. */
  | 'connect'
  /** The connection closed without a byte, or before a plain answer was whole. */
  | 'disconnected'
  /** Silent, and its side channel is silent too. */
  | 'dead'
  /** A stream that paused for too long between tokens. */
  | 'stalled'
  /** Any HTTP status but 2xx. */
  | 'status'
  /** 404, 405, 501: the endpoint is not there. */
  | 'endpoint_missing'
  | 'not_json'
  /** The wrong shape, `null`, or an error inside a 200. */
  | 'wrong_shape'
  /** The server is idle and will never answer this request. */
  | 'lost'
  | 'no_model'
  /** A stream that ended without a finish reason. */
  | 'interrupted'
  /** The request cannot be sent to this backend: nothing was sent. */
  | 'invalid_request'
  /** The request cannot be written at all, to any backend: nothing was sent. */
  | 'unsendable'
  /** The signal was aborted, and the server has stopped. */
  | 'aborted'

/** Facts about a failure beside its kind. */
export interface BackendErrorOptions {
  /** HTTP status, where there was one. */
  status?: number
  /** How long the server asks to wait, in milliseconds. */
  retryAfterMs?: number
  /** What the server itself said of the reason. */
  reason?:
    | 'bad_input'
    | 'busy'
    | 'model_unknown'
    | 'context_length'
    | 'authentication'
    /** The chat template refuses the roles of the conversation. */
    | 'template'
    /** The model was unloaded, or crashed. */
    | 'model_gone'
    /** It does not take one of our options. */
    | 'option'
    /** It does not speak TLS, or its certificate cannot be verified. */
    | 'tls'
    /** This program cannot ask anybody: its Node is too old. */
    | 'runtime'
  /**
   * How the server is known to have stopped. Default `not_sent` for `connect`, `invalid_request` and `unsendable`, else
   * `ended`.
   */
  stopped?: 'not_sent' | 'ended' | 'idle' | 'dead'
  /** How long it took to stop it, in milliseconds, where it had to be stopped. */
  stoppedAfterMs?: number
  /** Text that had come before. */
  partial?: string
  /** The beginning of what the server itself said. It may echo the prompt, so it goes to the log at `debug` and nowhere else. */
  words?: string
  /** The error that this one was made of. */
  cause?: unknown
}

/** Thrown by backends. The message holds no prompt, key or body. */
export class BackendError extends Error {
  /** Always `BackendError`. */
  override readonly name = 'BackendError'
  /** What happened; it decides the code of the outcome. */
  readonly kind: BackendErrorKind
  /** HTTP status, where there was one. */
  readonly status: number | undefined
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** What the server itself said of the reason, where that is known. */
  readonly reason: BackendErrorOptions['reason']
  /** How the server is known to have stopped. */
  readonly stopped: NonNullable<BackendErrorOptions['stopped']>
  /** How long it took to stop it, in milliseconds, where it had to be stopped. */
  readonly stoppedAfterMs: number | undefined
  /** Text that had come before. */
  readonly partial: string | undefined
  /** The beginning of what the server itself said. It may echo the prompt: for the log at `debug` only. */
  readonly words: string | undefined

  constructor(kind: BackendErrorKind, message: string, options: BackendErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
    this.reason = options.reason
    this.partial = options.partial
    this.stoppedAfterMs = options.stoppedAfterMs
    this.words = options.words
    const unsent = kind === 'connect' || kind === 'invalid_request' || kind === 'unsendable'
    this.stopped = options.stopped ?? (unsent ? 'not_sent' : 'ended')
  }
}
