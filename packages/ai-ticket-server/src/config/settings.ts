import type { ApiKey } from '@ai-ticket/server'
import * as v from 'valibot'
import { ApiKeysSchema, readApiKey } from './api-keys.ts'
import { CallbackSecretSchema } from './callback-schema.ts'
import { ConfigFileSchema } from './config-schema.ts'

const { entries } = ConfigFileSchema

/** How one value can be given, and what it is when nobody gives it. */
export interface Setting<Value> {
  /** Its name in `config show`, and in the file unless it is a secret. */
  readonly key: string
  readonly schema: v.GenericSchema<unknown, Value>
  readonly flag?: string
  readonly environment?: string
  /** What the text of a flag or variable stands for; a text that stands for nothing stays, and is refused. */
  readonly read: (text: string) => unknown
  readonly fallback: Value
  readonly secret?: true
}

const define = <Value>(setting: Setting<Value>): Setting<Value> => setting

const asText = (text: string): string => text
const asNumber = (text: string): unknown => (/^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text)
const asSwitch = (text: string): unknown => SWITCHES[text.toLowerCase()] ?? text
const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false }

/** The parts of a comma separated list, without the empty ones. */
export const asList = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const DATABASE_EXPECTED = 'an address like postgres://user:password@host:5432/database'
const DatabaseSchema = v.pipe(v.string(), v.regex(/^postgres(ql)?:\/\/\S+$/, DATABASE_EXPECTED))

/** Every setting but the backends, which `backend-config.ts` puts together. */
export const SETTINGS = {
  host: define({
    key: 'host',
    schema: entries.host,
    flag: '--host',
    environment: 'HOST',
    read: asText,
    fallback: '127.0.0.1',
  }),
  port: define({
    key: 'port',
    schema: entries.port,
    flag: '--port',
    environment: 'PORT',
    read: asNumber,
    fallback: 5000,
  }),
  logLevel: define({
    key: 'log_level',
    schema: entries.log_level,
    flag: '--log-level',
    environment: 'LOG_LEVEL',
    read: asText,
    fallback: 'info',
  }),
  dataDir: define({
    key: 'data_dir',
    schema: entries.data_dir,
    environment: 'AI_TICKET_DATA_DIR',
    read: asText,
    fallback: './.ai-ticket',
  }),
  databaseUrl: define({
    key: 'database_url',
    schema: DatabaseSchema,
    environment: 'DATABASE_URL',
    read: asText,
    // None: the embedded store.
    fallback: '',
    // It may hold a password.
    secret: true,
  }),
  worker: define({
    key: 'worker',
    schema: entries.worker,
    environment: 'AI_TICKET_WORKER',
    read: asText,
    // None: the host's name and the port.
    fallback: '',
  }),
  history: define({
    key: 'history',
    schema: entries.history,
    environment: 'AI_TICKET_HISTORY',
    read: asText,
    fallback: 'full' as 'full' | 'metadata' | 'off',
  }),
  metrics: define({
    key: 'metrics',
    schema: entries.metrics,
    environment: 'AI_TICKET_METRICS',
    read: asSwitch,
    fallback: true,
  }),
  keepDays: define({
    key: 'keep_days',
    schema: entries.keep_days,
    environment: 'AI_TICKET_KEEP_DAYS',
    read: asNumber,
    fallback: 7,
  }),
  keepFailedDays: define({
    key: 'keep_failed_days',
    schema: entries.keep_failed_days,
    environment: 'AI_TICKET_KEEP_FAILED_DAYS',
    read: asNumber,
    fallback: 30,
  }),
  keepTickets: define({
    key: 'keep_tickets',
    schema: entries.keep_tickets,
    environment: 'AI_TICKET_KEEP_TICKETS',
    read: asNumber,
    // As many as there are.
    fallback: 0,
  }),
  apiKeys: define<readonly ApiKey[]>({
    key: 'api_keys',
    schema: ApiKeysSchema,
    environment: 'AI_TICKET_API_KEYS',
    read: (text) => asList(text).map(readApiKey),
    fallback: [],
    secret: true,
  }),
  callbackAllow: define<readonly string[]>({
    key: 'callback_allow',
    schema: entries.callback_allow,
    environment: 'AI_TICKET_CALLBACK_ALLOW',
    read: asList,
    fallback: [],
  }),
  callbackSecrets: define<readonly string[]>({
    key: 'callback_secret',
    schema: CallbackSecretSchema,
    environment: 'AI_TICKET_CALLBACK_SECRET',
    read: asList,
    fallback: [],
    secret: true,
  }),
  callbackPrivate: define<readonly string[]>({
    key: 'callback_private',
    schema: entries.callback_private,
    environment: 'AI_TICKET_CALLBACK_PRIVATE',
    read: asList,
    fallback: [],
  }),
  callbackBody: define({
    key: 'callback_body',
    schema: entries.callback_body,
    environment: 'AI_TICKET_CALLBACK_BODY',
    read: asText,
    fallback: 'thin' as 'thin' | 'full',
  }),
  allowAnonymous: define({
    key: 'allow_anonymous',
    schema: entries.allow_anonymous,
    environment: 'AI_TICKET_ALLOW_ANONYMOUS',
    read: asSwitch,
    fallback: false,
  }),
  allowedHosts: define({
    key: 'allowed_hosts',
    schema: entries.allowed_hosts,
    environment: 'AI_TICKET_ALLOWED_HOSTS',
    read: asList,
    fallback: [],
  }),
  rateLimit: define({
    key: 'rate_limit',
    schema: entries.rate_limit,
    environment: 'AI_TICKET_RATE_LIMIT',
    read: asText,
    fallback: 'off',
  }),
  bodyLimitBytes: define({
    key: 'body_limit_bytes',
    schema: entries.body_limit_bytes,
    environment: 'AI_TICKET_BODY_LIMIT',
    read: asNumber,
    fallback: 16 * 1024 * 1024,
  }),
  drainMs: define({
    key: 'drain_ms',
    schema: entries.drain_ms,
    environment: 'AI_TICKET_DRAIN_MS',
    read: asNumber,
    fallback: 25_000,
  }),
  contextPolicy: define({
    key: 'context_policy',
    schema: entries.context_policy,
    environment: 'AI_TICKET_CONTEXT_POLICY',
    read: asText,
    fallback: 'refuse' as 'refuse' | 'drop_oldest' | 'off',
  }),
}

export type SettingName = keyof typeof SETTINGS
export type SettingValues = { [Name in SettingName]: (typeof SETTINGS)[Name]['fallback'] }
