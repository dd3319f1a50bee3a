import type { ChaosReply, ChaosTruth, Choice, Exchange, PlanContext } from './chaos-plan.ts'
import { cutBytes } from './transport.ts'

interface Kind {
  readonly statuses: readonly number[]
  readonly codes: readonly string[]
  readonly types: readonly string[]
  readonly say: (choice: Choice) => string
}

const tokens = (choice: Choice) => choice.between(4_100, 99_000)

const SUBJECTS = [
  ...['The input (N tokens)', 'Your prompt of N tokens', 'The decoder prompt (length N)', 'Input length N'],
  ...['Requested tokens (N)', 'Request length N', 'The request', 'Prompt', 'Total number of tokens (N)'],
  ...['The sequence length N', 'This conversation has N tokens and', 'The length of the prompt (N)'],
]
const VERBS = [
  ...[
    'is longer than',
    'is greater than',
    'exceeds',
    'is larger than',
    'is too long for',
    'does not fit into',
  ],
]
const LIMITS = [
  ...["the model's context length of 4096 tokens", 'max_model_len 4096', 'the available context size (4096)'],
  ...['the context window of 4096', 'max_seq_len 4096', 'the maximum model length of 4096'],
]

/** Sentences that servers are known for, numbers made up. */
const TOO_LONG = [
  'max_tokens must be at least 1, got -N.',
  "This model's maximum context length is 4096 tokens. However, you requested N tokens (90 in the messages).",
  'Trying to keep the first N tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length.',
  'Request length N + 2048 is greater than max_seq_len 4096',
  'Context size has been exceeded.',
  'request (N tokens) exceeds the available context size (4096 tokens), try increasing it',
  'Requested tokens (N) exceed context window of 4096',
  'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: N',
  'prompt is too long: N tokens > 4096 maximum',
]

const context: Kind = {
  statuses: [400, 400, 422, 500],
  codes: ['context_length_exceeded'],
  types: ['invalid_request_error', 'BadRequestError', 'exceed_context_size_error', 'server_error'],
  say(choice) {
    const sentence = choice.happens(0.5)
      ? choice.pick(TOO_LONG)
      : `${choice.pick(SUBJECTS)} ${choice.pick(VERBS)} ${choice.pick(LIMITS)}.`
    return sentence.replace('N', String(tokens(choice)))
  },
}

const template: Kind = {
  statuses: [400, 500],
  codes: ['api_client_error'],
  types: ['BadRequestError', 'server_error'],
  say: (choice) =>
    choice.pick([
      'Conversation roles must alternate user/assistant/user/assistant/...',
      'Value is not callable: null at row 26, column 4: Jinja Exception: Conversation roles must alternate user/assistant',
      'System role not supported',
      'Error rendering prompt with jinja template: "System role not supported".',
    ]),
}

const option: Kind = {
  statuses: [400, 422],
  codes: ['api_client_error'],
  types: ['invalid_request_error'],
  say: (choice) =>
    choice.pick([
      'Unsupported value: `temperature` does not take 0.7.',
      "Unknown field 'top_p'.",
      'Extra inputs are not permitted.',
    ]),
}

const model: Kind = {
  statuses: [400, 404],
  codes: ['api_client_error'],
  types: ['NotFoundError', 'invalid_request_error'],
  say: (choice) =>
    choice.pick([
      'The model `x` does not exist.',
      'model "x" not found, try pulling it first',
      'Model unloaded.',
      'The model has crashed without additional information. (Exit code: 18446744072635812000)',
    ]),
}

const failed: Kind = {
  statuses: [500, 500, 502, 504],
  codes: ['api_server_error'],
  types: ['server_error', 'internal_server_error'],
  say: (choice) =>
    choice.pick([
      'Internal Server Error',
      'CUDA error: out of memory',
      'Something went wrong.',
      'llama_decode failed',
      'Compute error.',
    ]),
}

const gone: Kind = {
  statuses: [503],
  codes: ['api_server_error'],
  types: ['internal_server_error'],
  say: (choice) =>
    choice.pick([
      'Chat completion 3f aborted. Maybe the model was unloaded? Please check the server console.',
      'Completion 9b aborted. Please check the server console.',
    ]),
}

const busy: Kind = {
  statuses: [429, 503],
  // Asked again until it is free, or the time of the event is up.
  codes: ['api_rate_limited', 'deadline_exceeded'],
  types: ['service_unavailable', 'overloaded_error', 'rate_limit_exceeded'],
  say: (choice) =>
    choice.pick([
      'Server is busy; please try again later.',
      'server busy, please try again. maximum pending requests exceeded',
      'Model is overloaded',
      'Loading model',
      'Rate limit reached.',
      '',
    ]),
}

/** Not everybody says it with 503. It is waited for like a busy server. */
const loading: Kind = {
  statuses: [400, 404, 409, 423, 500, 503],
  codes: busy.codes,
  types: ['unavailable_error', 'invalid_request_error', 'server_error'],
  say: (choice) =>
    choice.pick([
      'Loading model',
      'Model is currently loading, please wait.',
      'Another model is being loaded',
      'Model is not loaded yet.',
    ]),
}

const key: Kind = {
  statuses: [401, 403],
  codes: ['api_authentication_error'],
  types: ['authentication_error', 'unauthorized'],
  say: (choice) => choice.pick(['Unauthorized', 'Invalid API key', 'Missing bearer token']),
}

const refused: Kind = {
  statuses: [400, 402, 409, 418],
  codes: ['api_client_error'],
  types: ['invalid_request_error'],
  say: (choice) => choice.pick(['Bad Request', 'Something about the request is wrong.', 'Payment required']),
}

const missing: Kind = {
  statuses: [404, 405, 501],
  codes: ['api_client_error'],
  types: ['not_found_error'],
  say: (choice) => choice.pick(['Not Found', 'Method Not Allowed', 'File Not Found', '']),
}

const moved: Kind = {
  statuses: [301, 302, 307, 308],
  codes: ['api_client_error'],
  types: ['moved'],
  say: () => 'Moved',
}

/** KoboldCPP's 500 for a request that it cannot read. */
const badInput: Kind = {
  statuses: [500],
  codes: ['api_client_error'],
  types: ['bad_input'],
  say: () => 'Bad Input',
}

const KINDS = {
  badInput,
  context,
  template,
  option,
  model,
  failed,
  gone,
  busy,
  loading,
  key,
  refused,
  missing,
  moved,
}

const IN_STREAMS = { context, template, model, failed } as const

/** The error that a server writes into a reply with status 200, and what it means there. */
export function planErrorObject(choice: Choice): { value: object; text: string; codes: readonly string[] } {
  const name = choice.way('error', ['context', 'template', 'model', 'failed'])
  const kind = IN_STREAMS[name]
  const text = kind.say(choice)
  const value = errorObject(choice, {
    text,
    type: choice.pick(kind.types),
    status: choice.pick(kind.statuses),
  })
  // Without a reason in its words it is an error in place of an answer.
  return { value, text, codes: name === 'failed' ? ['api_response_structure_error'] : kind.codes }
}

interface Said {
  readonly text: string
  readonly type: string
  readonly status: number
}

function errorObject(choice: Choice, { text, type, status }: Said): object {
  const form = choice.way('form', ['openai', 'llama.cpp', 'text', 'fastapi', 'old vllm'])
  if (form === 'openai')
    return { error: { message: text, type, param: null, code: choice.pick([null, type]) } }
  if (form === 'llama.cpp') return { error: { code: status, message: text, type } }
  if (form === 'text') return { error: text }
  if (form === 'fastapi') return { detail: text }
  return { object: 'error', message: text, type, param: null, code: status }
}

/** A reply with a status that is none of success. */
export function planRefusal(context: PlanContext): Exchange {
  const { choice, pauses } = context
  const name = choice.way('refusal', [
    ...(['context', 'context', 'context', 'template', 'option', 'model', 'failed', 'gone'] as const),
    ...(pauses ? (['busy', 'loading'] as const) : []),
    ...(['key', 'refused', 'missing', 'moved', 'badInput'] as const),
  ])
  const waits = name === 'busy' || name === 'loading'
  const calls = waits ? 60 : name === 'failed' || name === 'gone' ? 3 : 1
  return {
    // A server that is busy for ever is asked as long as the event has time.
    ...(waits && { timeoutMs: 30_000 }),
    reply: refusalReply(context, name),
    truth: refusalTruth(KINDS[name].codes, calls),
  }
}

/** A failure that passes: the same call is made again, and nothing of it is left in the answer. */
export function planFirstFailure(context: PlanContext): ChaosReply {
  const { choice, target } = context
  const takesOptions = target.backend === 'openai' && target.streams
  const ways = [
    'failed',
    'gone',
    'busy',
    'loading',
    'unheard',
    ...(takesOptions ? ['stream options'] : []),
  ] as const
  const way = choice.way(
    'first',
    ways as readonly ('failed' | 'gone' | 'busy' | 'loading' | 'unheard' | 'stream options')[],
  )
  if (way === 'unheard') return { ...BARE, end: 'unheard' }
  if (way !== 'stream options') return refusalReply(context, way)
  const text = choice.pick([
    '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
    '{"error":{"message":"Unknown parameter: stream_options","type":"invalid_request_error"}}',
  ])
  return { ...BARE, status: choice.pick([400, 422]), steps: cutBytes(choice, [{ afterMs: 0, text }]) }
}

const BARE: ChaosReply = {
  status: 200,
  headers: {},
  informational: [],
  compression: [],
  headAfterMs: 0,
  steps: [],
  end: 'close',
}

function refusalReply({ choice, pauses }: PlanContext, name: keyof typeof KINDS): ChaosReply {
  const kind = KINDS[name]
  const status = choice.pick(kind.statuses)
  const body = refusalBody(choice, { text: kind.say(choice), type: choice.pick(kind.types), status })
  choice.note(`status ${status}: ${body.text.slice(0, 120)}`)
  const headers = {
    'content-type': body.type,
    ...(name === 'busy' && pauses && choice.happens(0.3) && { 'retry-after': String(choice.between(1, 20)) }),
    ...(name === 'moved' && { location: 'http://127.0.0.1:9/elsewhere' }),
  }
  return { ...BARE, status, headers, steps: cutBytes(choice, [{ afterMs: 0, text: body.text }]) }
}

function refusalBody(choice: Choice, said: Said): { text: string; type: string } {
  if (said.text === '') return { text: '', type: 'text/plain' }
  if (said.type === 'bad_input') {
    const detail = { msg: said.text, type: said.type }
    return { text: JSON.stringify({ detail }), type: 'application/json' }
  }
  const form = choice.way('body', [
    'object',
    'object',
    'text',
    'html',
    'kobold',
    'list',
    'flat',
    'stream',
    'nested',
  ])
  // Gateways that had promised a stream, and those that pack what another server said into their own words.
  if (form === 'stream') {
    return { text: `data: ${JSON.stringify(errorObject(choice, said))}\n\n`, type: 'text/event-stream' }
  }
  if (form === 'nested') return { text: JSON.stringify(nested(choice, said)), type: 'application/json' }
  if (form === 'text') return { text: said.text, type: 'text/plain; charset=utf-8' }
  if (form === 'html') return { text: `<html><body><h1>${said.text}</h1></body></html>`, type: 'text/html' }
  if (form === 'kobold') {
    const type = said.status === 503 ? 'service_unavailable' : 'server_error'
    // TabbyAPI's 503 has no such type.
    if (!/aborted/.test(said.text)) {
      return { text: JSON.stringify({ detail: { msg: said.text, type } }), type: 'application/json' }
    }
  }
  if (form === 'list') {
    const detail = [{ loc: ['body'], msg: said.text, type: 'value_error' }]
    if (said.status !== 503 && said.status !== 429)
      return { text: JSON.stringify({ detail }), type: 'application/json' }
  }
  if (form === 'flat') {
    return { text: JSON.stringify({ message: said.text, type: said.type }), type: 'application/json' }
  }
  return { text: JSON.stringify(errorObject(choice, said)), type: 'application/json' }
}

function nested(choice: Choice, { text, type, status }: Said): object {
  const error = { message: text, type, code: status }
  return choice.pick([
    { detail: { error } },
    { error: { error } },
    { detail: { error: text } },
    { error: { message: JSON.stringify({ error }), type: 'upstream_error', code: status } },
    { errors: [{ message: text }] },
    { message: error },
    { error: { code: status, details: [{ msg: text }] } },
  ])
}

/** The truth of an exchange that holds no answer at all. */
export const refusalTruth = (codes: readonly string[], mostCalls: number): ChaosTruth => ({
  ends: 'failure',
  text: '',
  reasoning: '',
  toolCalls: [],
  usage: undefined,
  finish: [],
  codes,
  mostCalls,
})
