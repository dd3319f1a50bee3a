import { EVENT_FAILURES, type Operation } from '@ai-ticket/http-server/openapi'
import type { GenericSchema } from 'valibot'
import * as v from 'valibot'

const KoboldErrorSchema = v.pipe(
  v.object({
    detail: v.object({
      error: v.exactOptional(v.literal('Unauthorized')),
      msg: v.string(),
      type: v.picklist(['bad_input', 'service_unavailable', 'unauthorized', 'server_error']),
    }),
  }),
  v.description('A failure, as clients of KoboldCPP read it.'),
)

const SCHEMAS = { KoboldError: KoboldErrorSchema }

const flag = v.literal(false)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))

/** What is asked for without a key. */
const info = (operationId: string, summary: string, schema: GenericSchema): Operation => ({
  operationId,
  summary,
  tag: 'Kobold',
  answers: { 200: { description: 'As KoboldCPP has it.', content: { 'application/json': { schema } } } },
  failures: [],
  access: 'keyless',
  schemas: SCHEMAS,
})

const VersionSchema = v.object({
  result: v.literal('KoboldCpp'),
  version: v.pipe(v.string(), v.description('The lowest of the KoboldCPP backends.')),
  protected: v.pipe(v.boolean(), v.description('Whether callers have to show a key.')),
  llm: v.pipe(v.boolean(), v.description('Whether any model is loaded.')),
  ...{ txt2img: flag, vision: flag, audio: flag, transcribe: flag, multiplayer: flag, websearch: flag },
  ...{ tts: flag, embeddings: flag, music: flag, savedata: flag, admin: v.literal(0), router: flag },
  ...{ guidance: flag, jinja: flag, mcp: flag },
})

const text = v.object({ result: v.string() })
const number = v.object({ value: count })

export const INFO_OPERATIONS = {
  getKoboldModel: info('getKoboldModel', 'The model that answers', text),
  getKoboldApiVersion: info('getKoboldApiVersion', 'The version of the KoboldAI API', text),
  getKoboldMaxLength: info('getKoboldMaxLength', 'The usual length of an answer, in tokens', number),
  getKoboldMaxContextLength: info('getKoboldMaxContextLength', 'The context, in tokens', number),
  getKoboldTrueMaxContextLength: info(
    'getKoboldTrueMaxContextLength',
    'The smallest context of the backends, in tokens',
    number,
  ),
  getKoboldSoftPrompts: info(
    'getKoboldSoftPrompts',
    'Soft prompts: there are none',
    v.object({ values: v.array(v.string()) }),
  ),
  getKoboldSoftPrompt: info(
    'getKoboldSoftPrompt',
    'The soft prompt: there is none',
    v.object({ value: v.literal('') }),
  ),
  getKoboldVersion: info('getKoboldVersion', 'The version, and what the server can do', VersionSchema),
  getKoboldStory: info('getKoboldStory', 'The story to begin with: there is none', v.object({})),
} as const satisfies Readonly<Record<string, Operation>>

const finish = v.picklist(['stop', 'length'])

const parameter = v.nullish(v.number())

/** The fields of most use; every named sampler of the desk is taken, too, and what nobody knows is ignored. */
const GenerateSchema = v.looseObject({
  prompt: v.nullish(v.string()),
  memory: v.nullish(
    v.pipe(v.string(), v.description('Stands before the prompt, and stays where that is cut.')),
  ),
  max_length: v.nullish(
    v.pipe(v.number(), v.integer(), v.description('Tokens of the answer. Default 1536.')),
  ),
  max_context_length: v.nullish(v.pipe(v.number(), v.description('At most so much of the context is used.'))),
  ...{ temperature: parameter, top_p: parameter, top_k: parameter, min_p: parameter, rep_pen: parameter },
  stop_sequence: v.nullish(v.union([v.string(), v.array(v.string())])),
  genkey: v.nullish(
    v.pipe(v.string(), v.description('Your name for this generation, to check and abort it.')),
  ),
  images: v.nullish(v.array(v.string())),
})

const TextSchema = v.object({
  results: v.array(
    v.object({
      text: v.string(),
      tool_calls: v.array(v.never()),
      finish_reason: finish,
      logprobs: v.null(),
      prompt_tokens: count,
      completion_tokens: count,
    }),
  ),
})

const TokenSchema = v.object({ token: v.string(), finish_reason: v.nullable(finish) })

const BODY = {
  content: {
    'application/json': {
      schema: GenerateSchema,
      examples: { story: { prompt: 'Once upon a time', max_length: 80 } },
    },
  },
} as const

const GENERATION = {
  tag: 'Kobold',
  body: BODY,
  failures: EVENT_FAILURES,
  schemas: { ...SCHEMAS, KoboldRequest: GenerateSchema },
} as const

/** Of each version's address; `suffix` keeps their names apart. */
export const generateOperation = (suffix: string): Operation => ({
  ...GENERATION,
  operationId: `generateKobold${suffix}`,
  summary: 'Continue a text',
  description:
    'Waits in line for its turn. A prompt that is too long loses its beginning. Hanging up cancels it.',
  answers: { 200: { description: 'The text.', content: { 'application/json': { schema: TextSchema } } } },
})

export const streamOperation: Operation = {
  ...GENERATION,
  operationId: 'streamKobold',
  summary: 'Continue a text, as it comes',
  description:
    'The head waits for the first text, but not for more than 15 s. There is no event for a failure behind it: the ' +
    'connection breaks. A stream is whole when an event with a `finish_reason` has come.',
  answers: {
    200: {
      description: 'The text.',
      content: { 'text/event-stream': { schema: v.string(), events: { message: TokenSchema } } },
    },
  },
}

const genkey = v.looseObject({ genkey: v.nullish(v.string()) })
const json = (schema: GenericSchema) => ({ 'application/json': { schema } })

const side = (
  operationId: string,
  summary: string,
  { body, answer }: { readonly body?: GenericSchema; readonly answer: GenericSchema },
): Operation => ({
  operationId,
  summary,
  tag: 'Kobold',
  ...(body && { body: { required: false, content: json(body) } }),
  answers: { 200: { description: 'As KoboldCPP has it.', content: json(answer) } },
  failures: [],
  schemas: SCHEMAS,
})

const checked = v.object({ results: v.array(v.object({ text: v.string() })) })
const noLogprobs = v.object({ logprobs: v.null() })
const number0 = v.pipe(v.number(), v.minValue(0))
const perf = v.object({
  ...{ last_process: number0, last_eval: number0, last_token_count: count, last_input_count: count },
  ...{ last_process_time: number0, last_eval_time: number0, last_process_speed: number0 },
  ...{ last_eval_speed: number0, last_seed: v.number(), last_draft_success: count, last_draft_failed: count },
  ...{ total_gens: count, stop_reason: v.picklist([-1, 0, 1, 2]), total_img_gens: count },
  ...{ total_tts_gens: count, total_transcribe_gens: count },
  queue: v.pipe(count, v.description('Events that wait for a slot.')),
  idle: v.pipe(v.picklist([0, 1]), v.description('1: a slot is free, and nothing of yours waits or runs.')),
  ...{ hordeexitcounter: v.number(), uptime: number0, idletime: number0, quiet: v.boolean() },
})

const counting = (operationId: string): Operation => {
  const operation = side(operationId, 'Count the tokens of a text', {
    body: v.looseObject({ prompt: v.optional(v.string()), messages: v.optional(v.array(v.unknown())) }),
    answer: v.object({
      value: v.pipe(count, v.description('By the tokenizer of a backend; where none counts, an estimate.')),
      ids: v.pipe(v.array(v.number()), v.description('Empty where the backend does not tell them.')),
      prompt: v.exactOptional(v.string()),
    }),
  })
  const unreadable = {
    description: 'The body is no JSON object, or `prompt` is no string.',
    content: json(v.object({ value: v.literal(-1) })),
  }
  return {
    ...operation,
    answers: { ...operation.answers, 400: unreadable },
    failures: ['prompt_extraction_failed'],
  }
}

export const SIDE_OPERATIONS = {
  abortKobold: side('abortKobold', 'Stop your generation of this key, or yours that have none', {
    body: genkey,
    answer: v.object({ success: v.picklist(['true', 'false']), done: v.picklist(['true', 'false']) }),
  }),
  getKoboldCheck: side('getKoboldCheck', 'The text so far: empty without a key', { answer: checked }),
  postKoboldCheck: side('postKoboldCheck', 'The text so far of your generation of this key', {
    body: genkey,
    answer: checked,
  }),
  getKoboldPerf: side('getKoboldPerf', 'Whether there is room, and the numbers of the last answer', {
    answer: perf,
  }),
  getKoboldLogprobs: side('getKoboldLogprobs', 'Probabilities of tokens: there are none', {
    answer: noLogprobs,
  }),
  postKoboldLogprobs: side('postKoboldLogprobs', 'Probabilities of tokens: there are none', {
    body: genkey,
    answer: noLogprobs,
  }),
  putKoboldSoftPrompt: side('putKoboldSoftPrompt', 'Set a soft prompt: does nothing', {
    body: v.looseObject({}),
    answer: v.object({}),
  }),
  putKoboldSoftPromptLatest: side('putKoboldSoftPromptLatest', 'Set a soft prompt: does nothing', {
    body: v.looseObject({}),
    answer: v.object({}),
  }),
  countKoboldTokens: counting('countKoboldTokens'),
  tokenizeKobold: counting('tokenizeKobold'),
} as const satisfies Readonly<Record<string, Operation>>
