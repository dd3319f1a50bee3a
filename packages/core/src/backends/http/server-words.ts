import type { BackendErrorOptions } from '../../contract/backend.ts'

export type Reason = NonNullable<BackendErrorOptions['reason']>

/** What servers say of a refusal, kind by kind. The first row that fits counts. */
export interface ServerWords {
  readonly reason: Reason
  /** Of the HTTP reply; 200 where the error stands inside a reply or a stream. */
  readonly statuses: (status: number) => boolean
  /** Each has to match. */
  readonly patterns: readonly RegExp[]
  /** Real messages, numbers made up, with the servers that say so. Each is tested. */
  readonly examples: readonly (readonly [server: string, status: number, message: string])[]
}

const refusal = (status: number) => status !== 429 && status !== 503
/** A 503 may say it, too: `busy` comes first. */
const lasting = (status: number) => status !== 429
/** Not where it is about our key. */
const anyway = (status: number) => status !== 401 && status !== 403
const request = (status: number) => (status >= 400 && status < 500 && status !== 429) || status === 200

/** What is too long … */
const SIZE =
  /\b(?:\d+ (?:input |prompt )?tokens|tokens?|context|prompt|inputs?|(?:model|sequence|request) length|max_seq_len|n_ctx|max_model_len)\b/i
/** … and that it is. */
const OVER =
  /(?:longer|greater|larger) than|more than (?:the |its )?(?:\d[\d,.]{2}|context|model|maximum|limit|allowed)|exceed|too (?:long|many tokens)|\b(?:inputs?|prompt|request)\b.{0,20} too (?:large|big)\b(?=.*\btokens\b)|must (?:be|have) (?:<=|at most|less than|fewer than|smaller)|above the (?:context|model|maximum|limit)|limit is \d|overflow|maximum (?:allowed )?(?:context|model|sequence|input|prompt)|does(?:n't| not) fit|over the (?:context|model|maximum|limit)|(?:the|its) (?:limit|maximum) is|\bcontext\b.{0,20}\bis full\b|\d\)? *>=? *(?:[a-z_]\w* *\(?)?\d|more than max\b|\bmodel (?:supports|takes|allows) (?:only |at most )?\d|\bmax(?:imum)?: \d/i

/** Neither the size of an image, nor how long an answer may be, nor a limit of time, memory, money or patience. */
const NO_OTHER_LIMIT =
  /^(?!.*(?:\bquota\b|\b(?:daily|monthly|hourly)\b|\b(?:credit|balance|retries|grammar|stop sequences?)\b|["'`]stop["'`]|\btime limit\b|\bmemory (?:limit|budget)\b|\bimages?\b.{0,20}\b(?:exceeds?|size|too large)\b|\d images\b|logit_bias|(?:maximum|most|max) (?:number of )?(?:\d+ )?(?:output|completion) tokens|\bdeadline\b|\btime(?:d )?-?out\b))(?!\W*max_\w*tokens(?!.*\b(?:context|prompt|inputs?|messages)\b))/is

/**
 * The one table of what servers say. To add a server, add a row or an example: `server-words.test.ts` tries each example
 * against the whole table. Ready-made lists of sentences are short-lived, so a pattern names what such messages share.
 */
export const SERVER_WORDS: readonly ServerWords[] = [
  {
    reason: 'busy',
    statuses: anyway,
    patterns: [
      // Loading that has failed is not waited for.
      /^(?!.*(?:fail|\berror loading|crash|abort|stopp|cancel|unable|could not|cannot|insufficient|out of memory))/is,
      // At the beginning, behind code and type of the error, tags of a page, or the error of another server: further on,
      // it may be the caller's own text.
      /^(?:[\w.:-]+ ){0,2}(?:<[^>]{1,80}>\s*)*(?:(?:\{\s*"(?:error|detail|message)":\s*)+")?[^\w"'`]*(?:error\W+)?(?:(?:(?:the|an?|another|this|requested|selected) )*model(?: (?!is\b|not\b)\S{1,200})? (?:(?:is|has|still|currently|already|being|now) )*(?:loading\b|not (?:yet )?ready\b|being loaded|not (?:yet loaded|loaded yet))|(?:(?:the|server|still|currently|is) )*loading(?: (?:the |a )?model\b|\W*(?:<|$)))|^(?:\w+ )?(?:model_(?:is_)?(?:loading|not_ready))\b/i,
    ],
    examples: [
      ['llama.cpp', 500, 'Loading model'],
      ['a gateway', 400, 'Model is currently loading, please wait.'],
      ['a gateway', 404, 'Model x is loading, try again later'],
      ['a gateway', 409, 'Another model is currently loading'],
      ['a gateway', 400, 'Model is already loading'],
      ['a gateway', 423, 'Model loading in progress'],
      ['TabbyAPI', 400, 'Model is not loaded yet.'],
      ['Hugging Face', 503, 'Model org/x is currently loading'],
      ['a gateway', 400, 'Model x is not ready. Please try again later.'],
      ['a gateway', 400, 'model_loading undefined Wait.'],
      ['a gateway', 200, 'server is loading the model'],
    ],
  },
  {
    reason: 'busy',
    statuses: anyway,
    patterns: [
      /^(?:[\w.:-]+ ){0,2}\W*(?:(?:the )?(?:request )?queue is full|(?:no )?(?:free )?slots? (?:is |are )?(?:un)?available|all slots are busy)\b/i,
    ],
    examples: [
      ['SGLang', 400, 'The request queue is full.'],
      ['llama.cpp', 400, 'slot unavailable'],
      ['a gateway', 500, 'No free slots available'],
    ],
  },
  {
    reason: 'busy',
    statuses: (status) => status === 200,
    patterns: [
      /^(?:[\w.:-]+ ){0,2}\W*(?:rate.?limit (?:exceeded|reached)|too many requests|(?:the )?server (?:is )?(?:busy|overloaded))\b/i,
    ],
    examples: [
      ['a gateway', 200, 'Rate limit exceeded, please try again later'],
      ['a gateway', 200, 'Server is busy'],
    ],
  },
  {
    reason: 'model_unknown',
    statuses: refusal,
    patterns: [
      /model_not_found|\bmodel\b.{0,200}(?:does not exist|doesn't exist|not found|not exist|not loaded|not available)|not a valid model|model is required|\b(?:unknown|no such|invalid) model(?: name)?\b(?! \w)/is,
    ],
    examples: [
      ['vLLM', 404, 'The model `x` does not exist.'],
      ['Ollama', 404, 'model "x" not found, try pulling it first'],
      ['OpenRouter', 400, 'x is not a valid model ID'],
      ['Ollama', 400, 'invalid model name'],
      ['a gateway', 404, 'No such model: x'],
      ['a gateway', 400, 'Unknown model "x"'],
      ['a gateway', 404, 'Model x not loaded'],
      ['a gateway', 404, 'The requested model is not available'],
    ],
  },
  {
    reason: 'template',
    statuses: refusal,
    patterns: [
      /roles must alternate|system (?:role|messages?|prompts?) (?:is |are )?not (?:supported|allowed)|(?:does(?: not|n't)|cannot) (?:support|accept|take|have) (?:a |an |any )?system (?:role|messages?|prompts?)|unexpected role|jinja|chat template|only user(?:,| and) assistant|must (?:start|begin) with a? ?user|first message must be .{0,20}\buser|consecutive (?:user|assistant)|(?:2|two) or more (?:user|assistant) messages|system message must be at the (?:beginning|start)|after the optional system message|no user (?:query|message|turn) found|(?:invalid|unsupported|unknown) (?:message )?role\b|\brole\W{1,3}(?:is |are )?(?:unsupported|invalid)|\brole must be one of/i,
    ],
    examples: [
      ['vLLM', 400, 'Conversation roles must alternate user/assistant/user/assistant/...'],
      [
        'llama.cpp',
        500,
        'Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...',
      ],
      ['vLLM', 400, 'System role not supported'],
      [
        'llama.cpp',
        500,
        'Value is not callable: null at row 26, column 4: Jinja Exception: System role not supported',
      ],
      ['LM Studio', 400, 'Error rendering prompt with jinja template: "System role not supported"'],
      ['a gateway', 400, 'This model does not support system messages'],
      ['a gateway', 422, 'The first message must be from the user'],
      ['a gateway', 400, 'Unexpected role: system'],
      ['a gateway', 400, 'invalid role: system'],
      ['a gateway', 400, "'system' role is unsupported"],
      ['a gateway', 422, 'role must be one of user, assistant'],
      ['llama.cpp', 500, 'No user query found in messages.'],
      ['a gateway', 400, 'Multiple consecutive user messages are not supported'],
      ['llama.cpp', 500, 'Cannot have 2 or more assistant messages at the end of the list.'],
      ['llama.cpp', 500, 'System message must be at the beginning.'],
    ],
  },
  {
    reason: 'bad_input',
    statuses: (status) => refusal(status) && anyway(status),
    patterns: [
      /\b(?:image|audio|tool)s?\b.{0,20}\bnot supported|(?:not|n't) support (?:\w+ ){0,2}(?:images?|vision|audio|tools?|function calling)\b|\bat most \d+ (?:image|audio|video)|failed to (?:load|decode) (?:the )?image|cannot use tools|required for image input|failed to (?:parse|initialize) (?:the )?grammar|unable to generate parser for this template|prefill is incompatible/i,
    ],
    examples: [
      ['llama.cpp', 500, 'image input is not supported - hint: you may need to provide the mmproj'],
      ['vLLM', 500, 'At most 0 image(s) may be provided in one prompt.'],
      ['llama.cpp', 400, 'Failed to load image or audio file'],
      ['llama.cpp', 500, 'Cannot use tools with stream'],
      ['llama.cpp', 500, 'Failed to parse grammar'],
      ['llama.cpp', 500, 'Unable to generate parser for this template. Automatic parser generation failed'],
      ['llama.cpp', 500, 'Assistant response prefill is incompatible with enable_thinking.'],
      ['Ollama', 500, 'this model is missing data required for image input'],
      ['Ollama', 400, 'registry.ollama.ai/library/x does not support tools'],
    ],
  },
  {
    reason: 'busy',
    statuses: (status) => status === 429 || status === 503,
    patterns: [
      // A part of it that has crashed will not be free again, and TabbyAPI says so of any generation that failed.
      /^(?!.*(?:crash|panic|abort|unloaded|out of memory|\bfatal\b|\bdied\b|\bdead\b))/is,
      /\bbusy\b|service_unavailable|overloaded|\bloading\b|\bqueued?\b|\bcapacity\b|try again|rate.?limit|\btoo many\b|temporarily|service unavailable|start(?:ing|s) up|not (?:yet )?ready|warming up|initiali[sz]ing|\bno (?:\w+ )?(?:slots?|workers?|upstreams?|replicas?|instances?)\b/i,
    ],
    examples: [
      ['KoboldCPP', 503, 'Server is busy; please try again later. service_unavailable'],
      ['llama.cpp', 503, 'Loading model'],
      ['Ollama', 503, 'server busy, please try again.  maximum pending requests exceeded'],
      ['text-generation-inference', 429, 'Model is overloaded'],
      ['a gateway', 503, 'Model is not ready yet'],
      ['a gateway', 503, 'Server is starting up'],
      ['a gateway', 503, 'no slot available'],
      ['Envoy', 503, 'no healthy upstream'],
      ['nginx', 503, '<h1>503 Service Temporarily Unavailable</h1>'],
    ],
  },
  {
    reason: 'context_length',
    statuses: lasting,
    patterns: [
      /context_length_exceeded|exceed_context_size|context_?window_?exceeded|prompt_tokens_exceeded|max_tokens must be at least 1, got -\d|reduce (?:the length of the (?:messages|prompt|input)|your prompt)|too large to process\b.{0,30}\bbatch size|range of input length should be|(?:not enough|out of) context\b|\b(?:find|free) .{0,20}\b(?:kv|memory) (?:cache|slot)|\bkv cache is full/i,
    ],
    examples: [
      ['OpenAI', 400, 'context_length_exceeded'],
      ['vLLM', 400, 'max_tokens must be at least 1, got -160.'],
      ['llama.cpp', 400, 'exceed_context_size_error: the request exceeds the available context size'],
      ['llama.cpp', 500, 'failed to find a memory slot for batch of size 512'],
      ['llama.cpp', 500, 'failed to find free space in the KV cache'],
      ['Groq', 400, 'Please reduce the length of the messages or completion.'],
      ['DashScope', 400, 'Range of input length should be [1, 30720]'],
      ['a gateway', 400, 'Not enough context: need 5000, have 4096'],
      ['llama.cpp', 500, 'input is too large to process. increase the physical batch size'],
      ['LiteLLM', 500, 'litellm.ContextWindowExceededError: x'],
      ['a gateway', 400, 'Please reduce your prompt; or completion length.'],
      ['GitHub Models', 400, 'model_max_prompt_tokens_exceeded'],
    ],
  },
  {
    reason: 'context_length',
    statuses: lasting,
    patterns: [SIZE, OVER, NO_OTHER_LIMIT],
    examples: [
      [
        'vLLM',
        400,
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
      ],
      [
        'vLLM',
        400,
        'The decoder prompt (length 10100) is longer than the maximum model length of 8192. Make sure.',
      ],
      ['SGLang', 400, "The input (61000 tokens) is longer than the model's context length (40960 tokens)."],
      [
        'LM Studio',
        400,
        'Trying to keep the first 6200 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.',
      ],
      ['TabbyAPI', 400, 'Request length 71000 + 2048 is greater than max_seq_len 65536'],
      [
        'text-generation-inference',
        422,
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000',
      ],
      ['llama.cpp', 500, 'Context size has been exceeded.'],
      ['llama-cpp-python', 500, 'Requested tokens (5000) exceed context window of 4096'],
      ['Anthropic', 400, 'prompt is too long: 210000 tokens > 200000 maximum'],
      ['Ollama', 400, 'input length exceeds maximum context length'],
      ['KoboldCPP', 400, 'Prompt is too long for the context'],
      [
        'text-generation-inference',
        422,
        'Input validation error: `inputs` must have less than 1024 tokens. Given: 1031',
      ],
      ['a gateway', 400, 'The number of tokens in the prompt (5000) is above the limit (4096)'],
      ['a gateway', 400, 'input tokens per request limit is 4096, got 5000'],
      ['a gateway', 400, 'prompt has 5000 tokens but the limit is 4096'],
      ['a gateway', 400, 'Input is too large: 9000 tokens, maximum 8192'],
      ['a gateway', 400, 'the prompt (12000) is over the context window of 8192'],
      ['a gateway', 400, 'n_prompt_tokens (5000) >= n_ctx (4096)'],
      ['a gateway', 400, 'Your prompt contains 9,001 tokens, which is more than the 8,192 allowed'],
      ['llama.cpp', 500, 'slot 0: context is full'],
      ['a gateway', 400, 'Length of prompt: 9000, max: 8192'],
      ['a gateway', 400, 'Prompt has 9000 tokens, model supports 8192'],
      ['a gateway', 400, 'tokens in request more than max tokens allowed'],
      ['a gateway', 503, 'Prompt is too long: 5000 tokens, and the model takes 4096'],
      ['a gateway', 400, '`max_tokens` (5000) exceeds what the context (4096 tokens) leaves of the prompt'],
    ],
  },
  {
    reason: 'model_gone',
    statuses: request,
    patterns: [/\bmodel\b.{0,80}\b(?:unloaded|crashed)\b/is],
    examples: [
      ['LM Studio', 400, 'Model unloaded.'],
      [
        'LM Studio',
        400,
        'The model has crashed without additional information. (Exit code: 18446744072635812000)',
      ],
    ],
  },
]

/** A server's message may go on with the prompt; its first words say what it is about. */
export const MESSAGE_LENGTH = 600

/** What the words of a server say of the reason; undefined: nothing that we know. */
export function reasonInWords(words: string, status: number): Reason | undefined {
  const head = words.slice(0, MESSAGE_LENGTH)
  return SERVER_WORDS.find(
    ({ statuses, patterns }) => statuses(status) && patterns.every((pattern) => pattern.test(head)),
  )?.reason
}
