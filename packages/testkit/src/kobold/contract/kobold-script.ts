/** What a fault applies to. `all` are the three kinds of generation; `any` is every request. */
export type FaultEndpoint =
  | 'chat'
  | 'text'
  | 'native'
  | 'all'
  | 'perf'
  | 'abort'
  | 'check'
  | 'tokencount'
  | 'version'
  | 'model'
  | 'models'
  | 'any'

/** Which calls meet a fault. */
export interface FaultReach {
  /** Default `all`: generations only, so that probes go on telling the truth. */
  readonly endpoint?: FaultEndpoint
  /** How many calls meet it; default: every one. */
  readonly times?: number
  /** How many matching calls pass before the first one meets it; default 0. */
  readonly skip?: number
}

/** Whole answers: given at once, without waiting for the model. A stream gets them in its own form where there is one. */
type AnswerFault =
  /** Any status. Default body: what KoboldCPP says for that status, or a text of the status. Unit of `retryAfter`: as written into the header. */
  | {
      readonly fault: 'status'
      readonly status: number
      readonly retryAfter?: string
      readonly body?: string
      readonly contentType?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** 503 as recorded when the queue is full. */
  | { readonly fault: 'busy' }
  /** 503 as recorded with `--ratelimit`: the seconds stand in the text only. Default 4. */
  | { readonly fault: 'rate_limited'; readonly seconds?: number }
  /** 500 `bad_input`, as recorded for malformed JSON. */
  | { readonly fault: 'bad_input' }
  /** 400 in OpenAI's shape, code `context_length_exceeded`. */
  | { readonly fault: 'context_length' }
  /** 200 with the content type of JSON, but the body is not JSON. */
  | { readonly fault: 'not_json'; readonly body?: string }
  /** 200 and JSON, but not the fields of this endpoint. */
  | { readonly fault: 'wrong_shape'; readonly body?: unknown }
  /** 200 with an empty list of choices (native: results). */
  | { readonly fault: 'empty_choices' }
  /** 200 with the JSON value `null`: a failed generation. A stream gets the head and then nothing. */
  | { readonly fault: 'null_reply' }
  /** 200 with `{"error": {...}}`. */
  | { readonly fault: 'error_in_200'; readonly message?: string }
  /** A right answer of one very long line. Default 2 MiB. */
  | { readonly fault: 'huge_line'; readonly bytes?: number }
  /** Empty text, no tokens, nothing that says why. */
  | { readonly fault: 'empty_text' }
  /** What a server without a model says. */
  | { readonly fault: 'no_model' }
  /** The connection ends without a byte (FIN): how a crashed handler looks. */
  | { readonly fault: 'empty_reply' }
  /** The connection is reset before a byte was sent. */
  | { readonly fault: 'reset' }

/** Faults of a generation that has its turn: they hold the model unless `busy` is false. */
type GenerationFault =
  /**
   * Nothing is ever sent. `busy` (default true): the model works on it, perf shows `idle: 0`, an abort ends the
   * call with an empty text. `busy: false`: the call is lost, perf shows `idle: 1`, an abort does not find it.
   * `ignoreAbort`: the abort is answered, but nothing stops.
   */
  | { readonly fault: 'hang_before_headers'; readonly busy?: boolean; readonly ignoreAbort?: boolean }
  /** A stream's head, then nothing; the model is free, as recorded. A plain call hangs without a byte. */
  | { readonly fault: 'stream_head_then_nothing' }
  /** Some tokens (default 3), then silence. `busy` and `ignoreAbort` as above. */
  | {
      readonly fault: 'hang_mid_stream'
      readonly afterTokens?: number
      readonly busy?: boolean
      readonly ignoreAbort?: boolean
    }
  /** Some tokens (default 3), half an event, connection reset. A plain call: head and half the body, then reset. */
  | { readonly fault: 'reset_mid_chunk'; readonly afterTokens?: number }
  /** Some tokens (default 3), then a clean end without a finish reason. A plain call: half the body, then FIN. */
  | { readonly fault: 'cut_stream'; readonly afterTokens?: number }
  /** One token per `msPerToken`, whatever the simulator's speed. */
  | { readonly fault: 'slow_drip'; readonly msPerToken: number }
  /** A right answer under another content type (default `text/html`). */
  | { readonly fault: 'wrong_content_type'; readonly contentType?: string }
  /** Only the last `keepTokens` tokens of the prompt are read; only `prompt_tokens` shows it. */
  | { readonly fault: 'prompt_cut'; readonly keepTokens: number }

/** Faults of the listener. They have no endpoint. */
type ConnectionFault =
  /** The port is closed while this fault stands in the script: connection refused. `endpoint`, `times`, `skip` do not apply. */
  | { readonly fault: 'refuse' }
  /** A connection is accepted and reset at once. `times` counts connections. */
  | { readonly fault: 'reset_on_connect' }

/** One step of the script: what goes wrong, where, how often. */
export type KoboldFault = (AnswerFault | GenerationFault | ConnectionFault) & FaultReach

/** What can be the `fault` of a `KoboldFault`. */
export type KoboldFaultName = KoboldFault['fault']

/** Every fault there is, for table tests; a name that is missing here does not compile. */
const everyFault: Record<KoboldFaultName, true> = {
  status: true,
  busy: true,
  rate_limited: true,
  bad_input: true,
  context_length: true,
  not_json: true,
  wrong_shape: true,
  empty_choices: true,
  null_reply: true,
  error_in_200: true,
  huge_line: true,
  empty_text: true,
  no_model: true,
  empty_reply: true,
  reset: true,
  hang_before_headers: true,
  stream_head_then_nothing: true,
  hang_mid_stream: true,
  reset_mid_chunk: true,
  cut_stream: true,
  slow_drip: true,
  wrong_content_type: true,
  prompt_cut: true,
  refuse: true,
  reset_on_connect: true,
}

/** Every fault that the simulator knows. */
export const koboldFaultNames = Object.keys(everyFault) as readonly KoboldFaultName[]
