import * as v from 'valibot'
import { closedObject, describe, milliseconds, setting, text, wholeNumber } from './schema-parts.ts'

const URL_EXPECTED = 'an http or https address without user and password, like http://localhost:5001'

/** For editors; `isAddress` has the last word. */
const ADDRESS_SHAPE = /^([Hh][Tt][Tt][Pp][Ss]?:\/\/)?[^@/?#\s,"'<>\\]+([/?#][^\s,"'<>\\]*)?$/

/** A scheme with a broken separator would pass as a host, and the path of a socket as that of an address. */
const SCHEME_AND_HOST =
  /^(?:https?:\/\/|(?!https?\/\/))(?:[\p{L}\p{N}_][\p{L}\p{M}\p{N}._-]*|\[[\da-f:.]+\])(?::\d+)?(?=[/?#]|$)/iu

/** Whatever passes must be an address to the backends of core, too. */
const isAddress = (url: string): boolean =>
  SCHEME_AND_HOST.test(url) && URL.canParse(/^https?:\/\//i.test(url) ? url : `http://${url}`)

/** As users write it, also without the scheme. A user and a password in the address would not be sent. */
export const BackendUrlSchema = v.pipe(
  v.string(URL_EXPECTED),
  v.regex(ADDRESS_SHAPE, URL_EXPECTED),
  v.check(isAddress, URL_EXPECTED),
)

const BACKEND_NAME = 'a name of letters, digits, ".", "_" and "-", at most 64'

const ALIASES_EXPECTED = 'an object of names and models, like { "fast": "tiny-q4" }'

/** Never digits alone: to valibot a list of names would be an object with the keys 0, 1… */
const AliasSchema = v.pipe(v.string(ALIASES_EXPECTED), v.regex(/\D/, ALIASES_EXPECTED))

const PAIR_EXPECTED = 'a list of two texts: what stands before a turn and after it'

const PairSchema = v.strictTuple([v.string(PAIR_EXPECTED), v.string(PAIR_EXPECTED)], PAIR_EXPECTED)

const STOP_EXPECTED = 'a list of texts that end an answer'

/** All of it or nothing: half a template would be mixed with Alpaca's tags. */
const TemplateSchema = closedObject(
  {
    system: describe(PairSchema, 'What stands before and after a system turn.'),
    user: describe(PairSchema, 'The same for a turn of the user.'),
    assistant: describe(PairSchema, 'The same for an answer; what stands before it also opens the new one.'),
    tool: describe(PairSchema, 'The same for the result of a tool.'),
    stop: describe(
      v.array(v.string(STOP_EXPECTED), STOP_EXPECTED),
      'Texts that end an answer which goes on with the next turn.',
    ),
  },
  'the object "template"',
)

const backendEntries = {
  name: describe(
    v.pipe(v.string(BACKEND_NAME), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, BACKEND_NAME)),
    'How events, logs and metrics name this backend. Unique.',
  ),
  aliases: setting(
    v.record(AliasSchema, text(ALIASES_EXPECTED), ALIASES_EXPECTED),
    'Further names under which events may ask for its models, each with the name of the model on the server.',
  ),
  concurrency: setting(wholeNumber(1, 1024), 'Slots: how many generations may run there at once. Default 1.'),
  warm_prompts: setting(
    wholeNumber(0, 100_000),
    'How many prompts it keeps when it has read them; 0: none. Default: one for each slot, for type openai 100.',
  ),
  template: setting(
    TemplateSchema,
    'How a conversation becomes one text where an endpoint takes no turns. Default: the Alpaca tags.',
  ),
}

/** For backends that are asked over HTTP. */
const serverEntries = {
  ...backendEntries,
  url: describe(BackendUrlSchema, 'Base address of the server, with or without /api or /v1.'),
  api_key_env: setting(
    text('the name of an environment variable'),
    'The environment variable that holds the key.',
  ),
}

const KoboldTimeoutsSchema = closedObject(
  {
    connect_ms: setting(milliseconds(1), 'How long a connection may take. Default 5000.'),
    token_ms: setting(milliseconds(1), 'Longest pause between two tokens of a stream. Default 60000.'),
    silence_probe_ms: setting(
      milliseconds(1),
      'How much silence before it is asked whether it is working. Default 10000.',
    ),
    dead_after_ms: setting(
      milliseconds(1),
      'How long without any answer before it counts as dead. Default 15000.',
    ),
    abort_interval_ms: setting(milliseconds(1), 'Between two requests to stop a generation. Default 250.'),
  },
  'the object "timeouts"',
)

const KoboldBackendSchema = closedObject(
  {
    type: describe(v.literal('kobold'), 'KoboldCPP.'),
    ...serverEntries,
    model: setting(
      text('the name of a model'),
      'Sent where an event names none. Only the router mode of KoboldCPP looks at it.',
    ),
    timeouts: setting(KoboldTimeoutsSchema, 'How long things may take at this server, in milliseconds.'),
  },
  'the backend of type "kobold"',
)

const OpenAITimeoutsSchema = closedObject(
  {
    connect_ms: setting(milliseconds(1), 'How long a connection may take. Default 5000.'),
    token_ms: setting(milliseconds(1), 'Longest pause between two tokens of a stream. Default 60000.'),
  },
  'the object "timeouts"',
)

export const OpenAIUrlSchema = v.pipe(
  BackendUrlSchema,
  v.check((url) => !url.includes('?'), 'an address without a query, like http://localhost:8080/v1'),
)

const MODELS_EXPECTED = 'a list of names of models'

const OpenAIBackendSchema = closedObject(
  {
    type: describe(
      v.literal('openai'),
      'Any OpenAI-compatible server: llama.cpp, vLLM, Ollama, LM Studio or a hosted service.',
    ),
    ...serverEntries,
    url: describe(OpenAIUrlSchema, 'Base address of the server, with or without /v1.'),
    model: setting(
      text('the name of a model'),
      'Sent where an event names none. Default: the only model of the server, where it has one.',
    ),
    models: setting(
      v.pipe(v.array(text(MODELS_EXPECTED), MODELS_EXPECTED), v.minLength(1, MODELS_EXPECTED)),
      'The models to offer, instead of all that the server lists.',
    ),
    timeouts: setting(OpenAITimeoutsSchema, 'How long things may take at this server, in milliseconds.'),
  },
  'the backend of type "openai"',
)

const GPU_EXPECTED = '"auto", "metal", "cuda", "vulkan" or false'

const GpuSchema = v.union([v.picklist(['auto', 'metal', 'cuda', 'vulkan']), v.literal(false)], GPU_EXPECTED)

export const LlamaBackendSchema = closedObject(
  {
    type: describe(
      v.literal('llama'),
      'A GGUF model in this process; needs the package node-llama-cpp beside ai-ticket-server.',
    ),
    ...backendEntries,
    model_path: describe(text('the path of a GGUF file'), 'The GGUF file, from the folder of the start.'),
    model: setting(
      text('the name of a model'),
      'Its name in outcomes and for events. Default: the name of the file without .gguf.',
    ),
    context_size: setting(
      wholeNumber(1, 100_000_000),
      'In tokens, of each generation. Default: as much as the model knows and memory holds.',
    ),
    gpu: setting(GpuSchema, 'Where it runs; false: on the processor alone. Default auto.'),
    threads: setting(wholeNumber(1, 1024), 'Threads of the processor. Default: what node-llama-cpp chooses.'),
    chat_template: setting(text('a Jinja template'), 'Jinja text, instead of the chat template in the file.'),
  },
  'the backend of type "llama"',
)

/** One schema per kind of backend; `open-backend.ts` has an opener for each. */
const BACKEND_SCHEMAS = [KoboldBackendSchema, OpenAIBackendSchema, LlamaBackendSchema] as const

/** Of one entry of a backend of this type; undefined: it has no such entry. */
export function entrySchemaOf(type: ListedBackend['type'], entry: string): v.GenericSchema | undefined {
  const kind = BACKEND_SCHEMAS.find(({ entries }) => entries.type.pipe[0].literal === type)
  const schema = (kind?.entries as v.ObjectEntries | undefined)?.[entry]
  if (schema === undefined) return undefined
  return v.isOfType('exact_optional', schema)
    ? (schema as WrappedSchema).wrapped
    : (schema as v.GenericSchema)
}

type WrappedSchema = v.ExactOptionalSchema<v.GenericSchema, undefined>

const BACKEND_TYPES = BACKEND_SCHEMAS.map((schema) => schema.entries.type.pipe[0].literal)

/** One backend of the file. */
export const BackendSchema = v.variant('type', BACKEND_SCHEMAS, (issue) =>
  issue.path === undefined
    ? 'an object with a type and a name'
    : BACKEND_TYPES.map((type) => `"${type}"`).join(' or '),
)

const BACKENDS_EXPECTED = 'a list of at least one backend'

export const BackendsSchema = v.pipe(
  v.array(BackendSchema, BACKENDS_EXPECTED),
  v.minLength(1, BACKENDS_EXPECTED),
)

/** A backend as the file describes it. */
export type ListedBackend = v.InferOutput<typeof BackendSchema>
