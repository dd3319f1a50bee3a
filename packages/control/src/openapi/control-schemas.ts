import { BackendReportSchema, LineReportSchema } from '@ai-ticket/http-server/openapi'
import { TicketRowSchema } from '@ai-ticket/tickets/openapi'
import * as v from 'valibot'

// The types are in ../bodies; `openapi.test.ts` holds the two together.

const timestamp = v.pipe(v.string(), v.isoTimestamp())

export const CallerSchema = v.object({
  object: v.literal('caller'),
  name: v.pipe(
    v.nullable(v.string()),
    v.description('The name of the API key; null without one, or where none are wanted.'),
  ),
  scopes: v.pipe(
    v.array(v.picklist(['events', 'read', 'admin'])),
    v.description('What the caller may do. `admin` brings the others along.'),
  ),
  keys: v.pipe(v.boolean(), v.description('Whether callers have to show an API key.')),
  version: v.string(),
  worker: v.pipe(v.string(), v.description('The name of this server among those on one store.')),
  started_at: timestamp,
  store: v.pipe(v.picklist(['sqlite', 'postgres', 'none']), v.description('Where the tickets are.')),
  history: v.pipe(
    v.picklist(['full', 'metadata', 'off']),
    v.description('What is kept of events that are answered at once.'),
  ),
  callbacks: v.pipe(v.boolean(), v.description('Whether events may name a `callback_url`.')),
})

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const inHand = {
  hand: v.pipe(v.string(), v.description('Names the event here, for `DELETE /line/{hand}`.')),
  event_id: v.string(),
  ticket_id: v.exactOptional(v.pipe(v.string(), v.description('The ticket that it is run for.'))),
  caller: v.exactOptional(v.string()),
  priority: v.pipe(v.number(), v.integer()),
  entered_at: v.pipe(timestamp, v.description('When it was accepted.')),
  deadline_at: timestamp,
}

const RunningSchema = v.object({
  ...inHand,
  backend: v.string(),
  endpoint: v.string(),
  seated_at: v.pipe(timestamp, v.description('When it got its slot.')),
  phase: v.pipe(
    v.picklist(['reading', 'writing', 'pausing', 'stopping']),
    v.description('`stopping`: it has ended, and its backend has not stopped yet.'),
  ),
  chars: v.pipe(count, v.description('Of the answer that have come; 0 where it is not streamed.')),
  tokens_per_second: v.exactOptional(v.pipe(v.number(), v.description('Estimated from its characters.'))),
  ends_in_ms: v.exactOptional(v.pipe(count, v.description('By the speed learned.'))),
})

const WaitingSchema = v.object({
  ...inHand,
  backends: v.array(v.string()),
  position: v.pipe(v.number(), v.integer(), v.minValue(1)),
  starts_in_ms: v.pipe(v.nullable(count), v.description('By the speeds learned; null: not known.')),
  late: v.pipe(v.boolean(), v.description('It is likely to end after its deadline.')),
})

export const LineSchema = v.object({
  object: v.literal('line'),
  worker: v.pipe(v.string(), v.description('The server whose line it is: each has its own.')),
  now: timestamp,
  capacity: v.pipe(count, v.description('Places that the line has.')),
  running: v.array(RunningSchema),
  waiting: v.pipe(v.array(WaitingSchema), v.description('In order; the first 200.')),
  more: v.pipe(count, v.description('How many more wait.')),
})

export const EndedSchema = v.object({
  hand: v.string(),
  stopped: v.pipe(
    v.boolean(),
    v.description('False: the event has ended, and its backend had not stopped after 5 s.'),
  ),
})

const SettingSchema = v.object({
  key: v.pipe(v.string(), v.description('Its name in the configuration file, with dots.')),
  value: v.pipe(v.unknown(), v.description('`***` where it is a secret.')),
  origin: v.pipe(
    v.variant('kind', [
      v.object({ kind: v.picklist(['flag', 'environment', 'file']), name: v.string() }),
      v.object({ kind: v.literal('default') }),
    ]),
    v.description('Where the value came from; `name` is the flag, the variable or the file.'),
  ),
  default: v.pipe(v.unknown(), v.description('What it is where nobody sets it; null: it has no default.')),
  secret: v.pipe(v.boolean(), v.description('Whether the value is masked.')),
  live: v.pipe(
    v.boolean(),
    v.description('Whether a change takes effect while the server runs; false: after a restart.'),
  ),
  locked: v.pipe(
    v.boolean(),
    v.description('Whether a flag or a variable sets it, so that the file has no say.'),
  ),
  schema: v.pipe(
    v.record(v.string(), v.unknown()),
    v.description('What it may be, as JSON Schema. Some checks are code, and not in it.'),
  ),
  summary: v.pipe(v.string(), v.description('What it sets, in a sentence.')),
})

export const ConfigSchema = v.object({
  object: v.literal('config'),
  revision: v.pipe(
    v.string(),
    v.description('Another one means that something else is set. Secrets count only as set or not set.'),
  ),
  settings: v.pipe(v.array(SettingSchema), v.description('In the order of the configuration file.')),
})

const KeySchema = v.object({
  name: v.pipe(v.string(), v.description('Whose it is, in logs, in the line and on tickets.')),
  scopes: v.pipe(
    v.array(v.picklist(['events', 'read', 'admin'])),
    v.description('What it may do; `admin` is everything.'),
  ),
  rate_limit: v.pipe(
    v.nullable(v.object({ requests: count, window_ms: count, burst: count })),
    v.description('Requests that it may send; null: as many as it likes. `burst` may come at once.'),
  ),
  left: v.exactOptional(
    v.pipe(count, v.description('Requests that would be let in now; keys of one name share them.')),
  ),
  last_seen_at: v.exactOptional(
    v.pipe(timestamp, v.description('Absent: not since the start of this server.')),
  ),
})

export const KeyListSchema = v.object({
  object: v.literal('list'),
  data: v.pipe(v.array(KeySchema), v.description('In the order of the configuration.')),
})

const DeskSchema = v.object({
  backends: v.array(BackendReportSchema),
  line: LineReportSchema,
  tickets: v.exactOptional(
    v.object({ queued: count, in_progress: count, completed: count, failed: count, cancelled: count }),
  ),
  store: v.object({
    status: v.picklist(['available', 'unavailable', 'none']),
    details: v.exactOptional(v.string()),
  }),
  callbacks: v.exactOptional(
    v.object({ pending: count, dead: v.pipe(count, v.description('Given up; at most 200 are counted.')) }),
  ),
})

/** The data of each event of the feed. */
export const FEED_EVENTS = {
  hello: v.object({
    now: timestamp,
    worker: v.string(),
    version: v.string(),
    resumed: v.pipe(v.boolean(), v.description('Nothing was missed since `Last-Event-ID`.')),
  }),
  desk: DeskSchema,
  line: LineSchema,
  ticket: TicketRowSchema,
  more: v.object({ count: v.pipe(count, v.description('Changed, and not shown.')) }),
  gap: v.pipe(v.object({}), v.description('You missed something: read again what you show.')),
}

export const CONTROL_SCHEMAS = {
  Caller: CallerSchema,
  Config: ConfigSchema,
  DeskState: DeskSchema,
  Key: KeySchema,
  Line: LineSchema,
  TicketRow: TicketRowSchema,
  RunningEvent: RunningSchema,
  Setting: SettingSchema,
  WaitingEvent: WaitingSchema,
}
