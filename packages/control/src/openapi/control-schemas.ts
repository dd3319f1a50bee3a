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
    v.description('How much the server keeps of events that it answers at once.'),
  ),
  callbacks: v.pipe(v.boolean(), v.description('Whether events may name a `callback_url`.')),
})

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const inHand = {
  hand: v.pipe(v.string(), v.description('Names the event here, for `DELETE /line/{hand}`.')),
  event_id: v.string(),
  ticket_id: v.exactOptional(v.pipe(v.string(), v.description('The ticket that it is run for.'))),
  caller: v.exactOptional(v.string()),
  door: v.exactOptional(v.pipe(v.string(), v.description('The API through which it arrived.'))),
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
  running: v.exactOptional(
    v.pipe(
      v.unknown(),
      v.description('What the server runs with until it is restarted. Absent: that is `value`.'),
    ),
  ),
  origin: v.pipe(
    v.variant('kind', [
      v.object({ kind: v.picklist(['flag', 'environment', 'file']), name: v.string() }),
      v.object({ kind: v.literal('console') }),
      v.object({ kind: v.literal('default') }),
    ]),
    v.description(
      'Where the value came from; `name` is the flag, the variable or the file; `console` is `PATCH /config`.',
    ),
  ),
  default: v.pipe(v.unknown(), v.description('What it is where nobody sets it; null: it has no default.')),
  secret: v.pipe(v.boolean(), v.description('Whether the value is masked.')),
  live: v.pipe(
    v.boolean(),
    v.description('Whether a change takes effect while the server runs; false: after a restart.'),
  ),
  locked: v.pipe(
    v.boolean(),
    v.description('Whether a flag or a variable sets it, so that it cannot be changed here.'),
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

const change = {
  at: timestamp,
  by: v.pipe(v.string(), v.description('Whose API key; without one, the address.')),
  key: v.pipe(v.string(), v.description('The setting; `backends.big` is a whole backend.')),
  before: v.pipe(v.unknown(), v.description('Null: it was not there. `***` where it is a secret.')),
  after: v.pipe(v.unknown(), v.description('Null: it is not there any more. `***` where it is a secret.')),
}

const ConfigChangeSchema = v.object(change)

export const ConfigChangeListSchema = v.object({
  object: v.literal('list'),
  data: v.pipe(v.array(ConfigChangeSchema), v.description('The latest 500, newest first.')),
})

export const ConfigPatchSchema = v.strictObject({
  set: v.exactOptional(
    v.pipe(
      v.record(v.string(), v.unknown()),
      v.description(
        'Values by the keys of `GET /config`. `backends.<name>` is a whole backend; null removes it.',
      ),
    ),
  ),
  unset: v.exactOptional(
    v.pipe(
      v.array(v.string()),
      v.description('Keys that were changed here, and take again what the file or the default says.'),
    ),
  ),
})

export const ChangedConfigSchema = v.object({
  object: v.literal('changed_config'),
  revision: v.pipe(v.string(), v.description('Of the settings as they are now.')),
  changes: v.array(
    v.object({
      ...change,
      live: v.pipe(v.boolean(), v.description('False: it takes effect after a restart.')),
    }),
  ),
})

const priority = v.pipe(v.number(), v.integer(), v.minValue(-100), v.maxValue(100))

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
  priority: v.exactOptional(
    v.pipe(
      priority,
      v.description('Of its events that name no priority. Absent: what `priorities` says of their API.'),
    ),
  ),
  max_priority: v.exactOptional(
    v.pipe(
      priority,
      v.description('The highest priority that its events get, whatever they ask for. Absent: 100.'),
    ),
  ),
})

export const KeyListSchema = v.object({
  object: v.literal('list'),
  data: v.pipe(v.array(KeySchema), v.description('In the order of the configuration.')),
})

const list = (description: string, of: v.GenericSchema<number> = count) =>
  v.pipe(v.array(v.nullable(of)), v.description(description))
const sum = v.nullable(count)
const average = v.pipe(v.number(), v.minValue(0))

const BackendSeriesSchema = v.object({
  busy: list('Slots that were taken, on average; looked at once a second.', average),
  tokens_in: list('Tokens of prompts of the events that it answered, where it counts them.'),
  tokens_out: list('Tokens of their answers.'),
  abandoned_ms: list('Time of calls whose events had ended before, in the step in which the call ended.'),
  stopping_ms: list('Time from the end of such events until the backend had stopped.'),
  failed_ms: list('Time of calls that were thrown away.'),
})

const SeriesTotalSchema = v.pipe(
  v.object({
    ...{ started: sum, completed: sum, failed: sum, cancelled: sum, line_max: sum },
    ...{ wait_p95: sum, duration_p50: sum, duration_p95: sum, late_max: sum },
    errors: v.record(v.string(), count),
    backends: v.record(
      v.string(),
      v.object({
        ...{ busy: v.nullable(average), tokens_in: sum, tokens_out: sum },
        ...{ abandoned_ms: sum, stopping_ms: sum, failed_ms: sum },
      }),
    ),
  }),
  v.description('The figures over all steps, as if they were one.'),
)

export const SeriesSchema = v.object({
  object: v.literal('series'),
  worker: v.pipe(v.string(), v.description('The server that counted: each counts for itself.')),
  from: v.pipe(timestamp, v.description('When the first step begins.')),
  to: v.pipe(timestamp, v.description('When the last step ends.')),
  step_s: v.pipe(count, v.description('The length of a step, in seconds.')),
  t: v.pipe(
    v.array(timestamp),
    v.description('When each step begins. All lists have one place for each; null is a gap.'),
  ),
  started: list('Events that came in.'),
  completed: list('Events that were answered.'),
  failed: list('Events that failed, those that a caller cancelled left out.'),
  cancelled: list('Events that their callers cancelled.'),
  errors: v.pipe(
    v.record(v.string(), v.array(v.nullable(count))),
    v.description('The failed ones by error code; only codes that occurred.'),
  ),
  line_max: list('The longest waiting line that was seen; it is looked at once a second.'),
  wait_p95: list(
    'Milliseconds in the waiting line of the events that ended, 95th percentile, within 5 % or 1 ms. Null also: none ended.',
  ),
  duration_p50: list(
    'Milliseconds from arrival to answer, median, within 5 % or 1 ms. Null also: none was answered.',
  ),
  duration_p95: list('The same, 95th percentile.'),
  late_max: list("How late the server's own timer fired at worst, in milliseconds."),
  backends: v.pipe(
    v.record(v.string(), BackendSeriesSchema),
    v.description('Each configured backend, and each that was there.'),
  ),
  total: SeriesTotalSchema,
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
  tickets_overdue_ms: v.exactOptional(
    v.pipe(count, v.description('How long the first ticket that is due has waited, in whole minutes.')),
  ),
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
  config: v.object({
    revision: v.pipe(v.string(), v.description('Of `GET /config`, since settings changed.')),
  }),
  more: v.object({ count: v.pipe(count, v.description('Changed, and not shown.')) }),
  gap: v.pipe(v.object({}), v.description('You missed something: read again what you show.')),
}

export const CONTROL_SCHEMAS = {
  Caller: CallerSchema,
  Config: ConfigSchema,
  ConfigChange: ConfigChangeSchema,
  DeskState: DeskSchema,
  Key: KeySchema,
  Line: LineSchema,
  TicketRow: TicketRowSchema,
  RunningEvent: RunningSchema,
  BackendSeries: BackendSeriesSchema,
  Series: SeriesSchema,
  SeriesTotal: SeriesTotalSchema,
  Setting: SettingSchema,
  WaitingEvent: WaitingSchema,
}
