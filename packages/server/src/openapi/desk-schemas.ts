import * as v from 'valibot'
import { count, milliseconds } from './outcome-schemas.ts'

// The types are in `contract/dispatcher.ts` of core; `schemas.test.ts` holds the two together.

const speed = v.exactOptional(v.pipe(v.number(), v.description('Learned, in tokens per second.')))

const health = {
  name: v.string(),
  state: v.picklist(['unknown', 'ready', 'busy', 'loading', 'down', 'stuck']),
  models: v.array(v.string()),
  loaded_models: v.exactOptional(
    v.pipe(v.array(v.string()), v.description('Of its models, those in memory, where it loads the others.')),
  ),
  aliases: v.exactOptional(v.pipe(v.array(v.string()), v.description('Further names of its models.'))),
  context_length: v.exactOptional(count),
  version: v.exactOptional(v.string()),
  concurrency: v.pipe(count, v.description('Slots of this desk.')),
  in_flight: v.pipe(count, v.description('Slots that are taken.')),
  details: v.exactOptional(v.pipe(v.string(), v.description('Why it is not ready.'))),
}

export const BackendHealthSchema = v.object(health)

/** A backend, as `GET /backends` shows it. */
/** A `BackendReport`, as JSON. */
export const BackendReportSchema = v.object({
  ...health,
  breaker: v.picklist(['closed', 'open', 'trial']),
  paused: v.exactOptional(
    v.pipe(
      v.object({ since: v.pipe(v.string(), v.isoTimestamp()), by: v.string() }),
      v.description('An operator keeps new events from it.'),
    ),
  ),
  repeats_left: v.pipe(v.number(), v.description('What its retry budget has left.')),
  latency_ms: v.exactOptional(v.pipe(milliseconds, v.description('Recent mean of a whole call.'))),
  prompt_tokens_per_second: speed,
  completion_tokens_per_second: speed,
  model_load_ms: v.exactOptional(
    v.pipe(milliseconds, v.description('Learned mean time that loading a model takes.')),
  ),
})

/** A `LineReport`, as JSON. */
export const LineReportSchema = v.object({
  waiting: v.pipe(count, v.description('Events that wait for a slot.')),
  capacity: count,
  oldest_ms: v.exactOptional(milliseconds),
  eta_seconds: v.exactOptional(
    v.pipe(v.number(), v.description('When an event that comes now is likely to start.')),
  ),
})

export const DeskReportSchema = v.object({ backends: v.array(BackendReportSchema), line: LineReportSchema })

export const HealthSchema = v.object({
  status: v.pipe(
    v.picklist(['healthy', 'degraded']),
    v.description('`degraded`: no backend answers, or the ticket store does not work.'),
  ),
  version: v.exactOptional(v.string()),
  backends: v.exactOptional(v.array(BackendHealthSchema)),
  waiting: v.exactOptional(v.pipe(count, v.description('Events that wait for a slot.'))),
  ticket_store: v.exactOptional(
    v.pipe(
      v.object({
        status: v.picklist(['available', 'unavailable']),
        details: v.exactOptional(v.pipe(v.string(), v.description('The problem, and what to do about it.'))),
      }),
      v.description('Of a server with tickets.'),
    ),
  ),
})

/** The schemas of backends and of the desk, by their names in the OpenAPI document. */
/** The schemas of `GET /health` and `GET /backends`, by the names that they have in the document. */
export const DESK_SCHEMAS = {
  BackendHealth: BackendHealthSchema,
  BackendReport: BackendReportSchema,
  DeskReport: DeskReportSchema,
  Health: HealthSchema,
}
