import * as v from 'valibot'
import { ListedKeysSchema, RateLimitSchema } from './api-keys.ts'
import { BackendsSchema } from './backend-schema.ts'
import { CALLBACK_BODIES, CallbackAllowSchema, CallbackPrivateSchema } from './callback-schema.ts'
import { closedObject, milliseconds, setting, text, texts, wholeNumber } from './schema-parts.ts'
import { TUNING_ENTRIES } from './tuning-schema.ts'

/** Names that LOG_LEVEL takes, in any case: Python's and consola's. Core's `parseLogLevel` knows what they mean. */
export const LOG_LEVELS: readonly string[] = [
  ...['critical', 'error', 'warning', 'warn', 'info', 'debug', 'notset'],
  ...['silent', 'fatal', 'log', 'success', 'fail', 'ready', 'start', 'box', 'trace', 'verbose'],
]

const HISTORY_MODES = ['full', 'metadata', 'off'] as const

const CONTEXT_POLICIES = ['refuse', 'drop_oldest', 'off'] as const

const LOG_LEVEL_EXPECTED = 'one of silent, error, warning, info, debug'
const isLogLevel = (level: string) => LOG_LEVELS.includes(level.toLowerCase())

/** The configuration file. Secrets have no place in it: it names the variables that hold them. */
export const ConfigFileSchema = closedObject(
  {
    $schema: setting(v.string('the address of the schema'), 'For editors; not read.'),
    host: setting(text('a host name or address'), 'Address to listen on. Default 127.0.0.1.'),
    port: setting(wholeNumber(0, 65535), 'Port to listen on; 0 takes a free one. Default 5000.'),
    log_level: setting(
      v.pipe(v.string(LOG_LEVEL_EXPECTED), v.check(isLogLevel, LOG_LEVEL_EXPECTED)),
      'How much is logged: silent, error, warning, info or debug (Python and consola names too, in any case). Default info.',
    ),
    data_dir: setting(text('the path of a folder'), 'Where the embedded store lives. Default ./.ai-ticket.'),
    worker: setting(
      text('a name'),
      'Name of this server among those on one PostgreSQL, the same after a restart. Default: host name and port.',
    ),
    metrics: setting(
      v.boolean('true or false'),
      'Whether events are counted, for GET /metrics. Default true.',
    ),
    history: setting(
      v.picklist(HISTORY_MODES, 'full, metadata or off'),
      'What is kept of events that are answered at once: full, metadata (no prompts, no answers) or off. Default full.',
    ),
    keep_days: setting(
      wholeNumber(1, 36_500),
      'How long finished tickets and events are kept, in days. Default 7.',
    ),
    keep_failed_days: setting(
      wholeNumber(0, 36_500),
      'How long failed tickets are kept, in days; 0: for ever. Default 30.',
    ),
    keep_tickets: setting(
      wholeNumber(0, 1_000_000_000),
      'Of finished tickets and events, so many are kept at most, the newest; failed tickets beside them. 0: any number. Default 0.',
    ),
    callback_allow: setting(
      CallbackAllowSchema,
      'Addresses that a callback_url may name, like https://hooks.example.com/*. Needs AI_TICKET_CALLBACK_SECRET. Default none.',
    ),
    callback_private: setting(
      CallbackPrivateSchema,
      'Private networks that callbacks may reach all the same, like 192.168.0.0/16. Default none.',
    ),
    callback_body: setting(
      v.picklist(CALLBACK_BODIES, 'thin or full'),
      'What a callback holds: thin (ids, status, error code) or full (the outcome, too). Default thin.',
    ),
    api_keys: setting(
      ListedKeysSchema,
      'Keys that callers must show. AI_TICKET_API_KEYS replaces them. Default none.',
    ),
    allow_anonymous: setting(
      v.boolean('true or false'),
      'Serve callers without an API key on an address that others can reach. Default false.',
    ),
    allowed_hosts: setting(
      texts('a list of host names'),
      'Names besides the loopback ones that the Host header may have on an anonymous listener. Default none.',
    ),
    rate_limit: setting(
      RateLimitSchema,
      'Requests that each API key name, or without keys each address, may send: like 60/min, or 60/min burst 10. Default off.',
    ),
    body_limit_bytes: setting(
      wholeNumber(1024, 32_000_000, ' (bytes)'),
      'Largest request body, in bytes. Default 16777216 (16 MiB).',
    ),
    drain_ms: setting(
      milliseconds(),
      'How long events in hand may go on after SIGTERM, in milliseconds. Default 25000.',
    ),
    context_policy: setting(
      v.picklist(CONTEXT_POLICIES, 'refuse, drop_oldest or off'),
      'What happens to a prompt longer than the context, unless its event says: refuse it, drop_oldest turns, or off (the server cuts it). Default refuse.',
    ),
    backends: setting(
      BackendsSchema,
      'The servers that answer, in order of preference. Default: one KoboldCPP on http://localhost:5001/api.',
    ),
    ...TUNING_ENTRIES,
  },
  'the configuration',
)

export type ConfigFile = v.InferOutput<typeof ConfigFileSchema>
