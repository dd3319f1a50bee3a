import { isIP } from 'node:net'
import * as v from 'valibot'
import {
  ApiKeysSchema,
  ListedKeysSchema,
  OriginsSchema,
  PrioritiesSchema,
  RateLimitSchema,
  readApiKey,
  readPriorities,
} from './api-keys.ts'
import { CallbackAllowSchema, CallbackPrivateSchema, CallbackSecretSchema } from './callback-schema.ts'
import { asList, milliseconds, oneOf, text, trueOrFalse, wholeNumber } from './schema-parts.ts'

/** Where a value may come from, in words and by name. */
export interface Source {
  /** What it sets, for the help and for editors. */
  readonly words: string
  readonly flag?: `--${string}`
  /** What stands for the flag's value in the help. */
  readonly flagValue?: string
  readonly environment: string
  readonly fallback?: unknown
  /** The default in words, where its value does not say it. */
  readonly fallbackWords?: string
}

/** Everything about one setting. The file's schema, the flags, the help and the tables of the docs follow from it. */
export interface Setting<Value = unknown> extends Source {
  /** Its name in `config show` and in the file. */
  readonly key: string
  readonly schema: v.GenericSchema<unknown, Value>
  /** What the file has instead; false: it is a secret, and has no place there. */
  readonly fileSchema?: v.GenericSchema | false
  /** Default: by the kind of the schema. A text that stands for nothing stays one, and the schema refuses it. */
  readonly read?: (text: string) => unknown
  readonly fallback: Value
  readonly secret?: true
}

/** The backends are put together by `backend-config.ts`, and `loadConfig` reads the file. */
export const SOURCES = {
  backends: {
    words: 'KoboldCPP servers, comma separated',
    flag: '--kobold-url',
    flagValue: 'urls',
    environment: 'KOBOLDCPP_API_URL',
    fallback: 'http://localhost:5001/api',
  },
  anyBackends: {
    words: 'Servers of any kind, like openai=http://localhost:11434; a bare address is a KoboldCPP',
    flag: '--backend',
    flagValue: 'kind=url',
    environment: 'AI_TICKET_BACKENDS',
  },
  backendKeys: {
    words: 'Keys of KoboldCPP servers: one for all, or one for each',
    environment: 'KOBOLDCPP_API_KEY',
  },
  file: {
    words: 'Configuration file, JSON',
    flag: '--config',
    flagValue: 'file',
    environment: 'AI_TICKET_CONFIG',
  },
} as const satisfies Readonly<Record<string, Source>>

/** Names that LOG_LEVEL takes, in any case: Python's and consola's. Core's `parseLogLevel` knows what they mean. */
export const LOG_LEVELS: readonly string[] = [
  ...['critical', 'error', 'warning', 'warn', 'info', 'debug', 'notset'],
  ...['silent', 'fatal', 'log', 'success', 'fail', 'ready', 'start', 'box', 'trace', 'verbose'],
]

const LOG_LEVEL_EXPECTED = 'one of silent, error, warning, info, debug'
const LogLevelSchema = v.pipe(
  v.string(LOG_LEVEL_EXPECTED),
  v.check((level) => LOG_LEVELS.includes(level.toLowerCase()), LOG_LEVEL_EXPECTED),
)

const ADDRESS_EXPECTED = 'an address like http://127.0.0.1:5000'
const AddressSchema = v.pipe(
  v.string(ADDRESS_EXPECTED),
  v.regex(/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/, ADDRESS_EXPECTED),
)

/** A text that is no JSON stays one, and the schema refuses it. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const HOST_EXPECTED = 'a host name, or an address like 127.0.0.1 or ::1, without scheme, brackets and port'
const HostSchema = v.pipe(
  text('a host name or address'),
  v.check((host) => (host.includes(':') ? isIP(host) === 6 : /^[^\s/[\]*]+$/.test(host)), HOST_EXPECTED),
)

const NAMES_EXPECTED = 'a list of host names like desk.lan, without scheme and *'
const HostNamesSchema = v.array(
  v.pipe(v.string(NAMES_EXPECTED), v.regex(/^[^\s/*]+$/, NAMES_EXPECTED)),
  NAMES_EXPECTED,
)

const DATABASE_EXPECTED = 'an address like postgres://user:password@host:5432/database'
const ENCODED_EXPECTED =
  'an address whose password has its special characters percent-encoded, like %23 for # and %2F for /'
const DatabaseSchema = v.pipe(
  v.string(),
  v.regex(/^postgres(ql)?:\/\/\S+$/, DATABASE_EXPECTED),
  v.check((url) => URL.canParse(url) && !url.includes('#'), ENCODED_EXPECTED),
)

const define = <
  const Key extends string,
  Schema extends v.GenericSchema,
  FileSchema extends v.GenericSchema | false = Schema,
>(
  setting: Omit<Setting<v.InferOutput<Schema>>, 'key' | 'schema' | 'fileSchema'> & {
    readonly key: Key
    readonly schema: Schema
    readonly fileSchema?: FileSchema
  },
) => setting

/**
 * Every setting but the backends, which `backend-config.ts` puts together, in the order of the file. The table is longer
 * than a file should be: cut in two, it would have to be read in two places again.
 */
export const SETTINGS = {
  server: define({
    key: 'server',
    words: 'The AI Ticket server that the commands ask, instead of backends from here',
    schema: AddressSchema,
    flag: '--server',
    flagValue: 'url',
    environment: 'AI_TICKET_SERVER',
    fallback: '',
    fallbackWords: 'none',
  }),
  host: define({
    key: 'host',
    words: 'Address to listen on',
    schema: HostSchema,
    flag: '--host',
    flagValue: 'address',
    environment: 'HOST',
    fallback: '127.0.0.1',
  }),
  port: define({
    key: 'port',
    words: 'Port to listen on; 0 takes a free one',
    schema: wholeNumber(0, 65535),
    flag: '--port',
    flagValue: 'number',
    environment: 'PORT',
    fallback: 5000,
  }),
  logLevel: define({
    key: 'log_level',
    words:
      'How much is logged: silent, error, warning, info or debug; names of Python and consola too, in any case',
    schema: LogLevelSchema,
    flag: '--log-level',
    flagValue: 'level',
    environment: 'LOG_LEVEL',
    fallback: 'info',
  }),
  dataDir: define({
    key: 'data_dir',
    words: 'Where the embedded store lives',
    schema: text('the path of a folder'),
    environment: 'AI_TICKET_DATA_DIR',
    fallback: './.ai-ticket',
  }),
  /** Empty: the embedded store. It may hold a password. */
  databaseUrl: define({
    key: 'database_url',
    words: 'The PostgreSQL that holds the tickets',
    schema: DatabaseSchema,
    fileSchema: false,
    environment: 'AI_TICKET_DATABASE_URL',
    fallback: '',
    secret: true,
  }),
  worker: define({
    key: 'worker',
    words: 'Name of this server among those on one PostgreSQL, the same after a restart',
    schema: text('a name'),
    environment: 'AI_TICKET_WORKER',
    fallback: '',
    fallbackWords: 'host name and port',
  }),
  metrics: define({
    key: 'metrics',
    words: 'Whether events are counted, for GET /metrics',
    schema: trueOrFalse,
    environment: 'AI_TICKET_METRICS',
    fallback: true,
  }),
  console: define({
    key: 'console',
    words: 'Whether the console is served at /console/',
    schema: trueOrFalse,
    environment: 'AI_TICKET_CONSOLE',
    fallback: true,
  }),
  consoleLabel: define({
    key: 'console_label',
    words: 'Tells this server apart from others in the console, like prod',
    schema: text('a short name'),
    environment: 'AI_TICKET_CONSOLE_LABEL',
    fallback: '',
  }),
  consoleTheme: define({
    key: 'console_theme',
    words: 'Folder with theme.css, logo.svg and name.txt for the console, each optional',
    schema: text('the path of a folder'),
    environment: 'AI_TICKET_CONSOLE_THEME',
    fallback: '',
  }),
  consoleTokens: define({
    key: 'console_tokens',
    words: 'Colours of the console by name, like {"accent": "#00aa77"}; as a variable, JSON',
    schema: v.record(v.string(), v.string('a colour like #00aa77'), 'an object of colours by name'),
    environment: 'AI_TICKET_CONSOLE_TOKENS',
    read: readJson,
    fallback: {},
    fallbackWords: 'none',
  }),
  history: define({
    key: 'history',
    words: 'What is kept of events that are answered at once: full, metadata (no prompts, no answers) or off',
    schema: oneOf('full', 'metadata', 'off'),
    environment: 'AI_TICKET_HISTORY',
    fallback: 'full',
  }),
  keepDays: define({
    key: 'keep_days',
    words: 'How long finished tickets and events are kept, in days',
    schema: wholeNumber(1, 36_500),
    environment: 'AI_TICKET_KEEP_DAYS',
    fallback: 7,
  }),
  keepFailedDays: define({
    key: 'keep_failed_days',
    words: 'How long failed tickets are kept, in days; 0 keeps them forever',
    schema: wholeNumber(0, 36_500),
    environment: 'AI_TICKET_KEEP_FAILED_DAYS',
    fallback: 30,
  }),
  keepTickets: define({
    key: 'keep_tickets',
    words:
      'Keeps at most this many finished tickets and events, the newest, and failed tickets beside them; 0 sets no limit',
    schema: wholeNumber(0, 1_000_000_000),
    environment: 'AI_TICKET_KEEP_TICKETS',
    fallback: 0,
  }),
  callbackAllow: define({
    key: 'callback_allow',
    words:
      'Addresses that a callback_url may name, like https://hooks.example.com/*; needs AI_TICKET_CALLBACK_SECRET',
    schema: CallbackAllowSchema,
    environment: 'AI_TICKET_CALLBACK_ALLOW',
    fallback: [],
  }),
  callbackSecrets: define({
    key: 'callback_secret',
    words: 'Signs callbacks',
    schema: CallbackSecretSchema,
    fileSchema: false,
    environment: 'AI_TICKET_CALLBACK_SECRET',
    fallback: [],
    secret: true,
  }),
  callbackPrivate: define({
    key: 'callback_private',
    words: 'Private networks that callbacks may reach anyway, like 192.168.0.0/16',
    schema: CallbackPrivateSchema,
    environment: 'AI_TICKET_CALLBACK_PRIVATE',
    fallback: [],
  }),
  callbackBody: define({
    key: 'callback_body',
    words: 'What a callback holds: thin (ids, status, error code) or full (the outcome, too)',
    schema: oneOf('thin', 'full'),
    environment: 'AI_TICKET_CALLBACK_BODY',
    fallback: 'thin',
  }),
  apiKeys: define({
    key: 'api_keys',
    words: 'Keys that callers must show; AI_TICKET_API_KEYS replaces them',
    schema: ApiKeysSchema,
    fileSchema: ListedKeysSchema,
    environment: 'AI_TICKET_API_KEYS',
    read: (text) => asList(text).map(readApiKey),
    fallback: [],
    secret: true,
  }),
  allowAnonymous: define({
    key: 'allow_anonymous',
    words: 'Serve callers without an API key on an address that others can reach',
    schema: trueOrFalse,
    environment: 'AI_TICKET_ALLOW_ANONYMOUS',
    fallback: false,
  }),
  allowedHosts: define({
    key: 'allowed_hosts',
    words: 'Names besides the loopback ones that the Host header may have on an anonymous listener',
    schema: HostNamesSchema,
    environment: 'AI_TICKET_ALLOWED_HOSTS',
    fallback: [],
  }),
  corsOrigins: define({
    key: 'cors_origins',
    words: 'Origins whose pages may ask from a browser, like https://app.example.com',
    schema: OriginsSchema,
    environment: 'AI_TICKET_CORS_ORIGINS',
    fallback: [],
  }),
  rateLimit: define({
    key: 'rate_limit',
    words:
      'Requests that each API key name, or without keys each address, may send: like 60/min, or 60/min burst 10',
    schema: RateLimitSchema,
    environment: 'AI_TICKET_RATE_LIMIT',
    fallback: 'off',
  }),
  priorities: define({
    key: 'priorities',
    words:
      'The priority of events that name none, by their API: event, tickets, openai, responses, anthropic, kobold; as a variable, like kobold=10,responses=-5',
    schema: PrioritiesSchema,
    environment: 'AI_TICKET_PRIORITIES',
    read: readPriorities,
    fallback: {},
    fallbackWords: 'none',
  }),
  bodyLimitBytes: define({
    key: 'body_limit_bytes',
    words: 'Largest request body, in bytes',
    schema: wholeNumber(1024, 32_000_000, ' (bytes)'),
    environment: 'AI_TICKET_BODY_LIMIT',
    fallback: 16 * 1024 * 1024,
    fallbackWords: '16777216 (16 MiB)',
  }),
  bodyBudgetBytes: define({
    key: 'body_budget_bytes',
    words: 'Bytes that the bodies of all requests may have together while they come, wait and run',
    schema: wholeNumber(32_000_000, 64 * 1024 ** 3, ' (bytes)'),
    environment: 'AI_TICKET_BODY_BUDGET',
    fallback: 128 * 1024 * 1024,
    fallbackWords: '134217728 (128 MiB)',
  }),
  drainMs: define({
    key: 'drain_ms',
    words: 'How long events may go on after SIGTERM, in milliseconds',
    schema: milliseconds(),
    environment: 'AI_TICKET_DRAIN_MS',
    fallback: 25_000,
  }),
  contextPolicy: define({
    key: 'context_policy',
    words:
      'What happens to a prompt longer than the context, unless its event says: refuse it, drop_oldest turns, cut_left (the beginning of the text, too), or off (the server cuts it)',
    schema: oneOf('refuse', 'drop_oldest', 'cut_left', 'off'),
    environment: 'AI_TICKET_CONTEXT_POLICY',
    fallback: 'refuse',
  }),
}

export type Settings = typeof SETTINGS
export type SettingName = keyof Settings
export type SettingValues = { [Name in SettingName]: v.InferOutput<Settings[Name]['schema']> }

export const settingList = Object.entries(SETTINGS) as readonly [SettingName, Setting][]

export const sourceList: readonly Source[] = [...Object.values(SOURCES), ...Object.values(SETTINGS)]

/** What the text of a flag or variable stands for. */
export const readText = ({ schema, read = READERS[schema.type] }: Setting, text: string): unknown =>
  read?.(text) ?? text

const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false }

/** By the kind of the schema. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  number: (text) => (/^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text),
  boolean: (text) => SWITCHES[text.toLowerCase()],
  array: asList,
}

/** The default in words. */
export function defaultOf({ fallback, fallbackWords }: Source): string {
  if (fallbackWords !== undefined) return fallbackWords
  return fallback === undefined || fallback === '' || Array.isArray(fallback) ? 'none' : String(fallback)
}
