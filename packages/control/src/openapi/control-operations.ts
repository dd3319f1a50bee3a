import {
  type Answer,
  BackendReportSchema,
  DESK_SCHEMAS,
  type Operation,
  type Parameter,
} from '@ai-ticket/http-server/openapi'
import { metadataFilter, TICKET_FILTERS } from '@ai-ticket/tickets/openapi'
import { type GenericSchema, isoTimestamp, pipe, string } from 'valibot'
import {
  CallerSchema,
  ChangedConfigSchema,
  CONTROL_SCHEMAS,
  ConfigChangeListSchema,
  ConfigPatchSchema,
  ConfigSchema,
  EndedSchema,
  FEED_EVENTS,
  KeyListSchema,
  LineSchema,
  SeriesSchema,
} from './control-schemas.ts'

const tag = 'Operations'
const schemas = CONTROL_SCHEMAS
const json = (description: string, schema: GenericSchema): Answer => ({
  description,
  headers: { 'cache-control': { description: '`no-store`.', required: true } },
  content: { 'application/json': { schema } },
})

const withRevision = (answer: Answer): Answer => ({
  ...answer,
  headers: {
    ...answer.headers,
    etag: { description: 'The `revision`, in quotation marks.', required: true },
  },
})

export const getCaller: Operation = {
  operationId: 'getCaller',
  summary: 'Who asks, what they may do, and which server answers',
  tag,
  answers: { 200: json('The caller.', CallerSchema) },
  failures: [],
  schemas,
}

export const getConfig: Operation = {
  operationId: 'getConfig',
  summary: 'Every setting, and where its value came from',
  description:
    'What `ai-ticket config show --origin` prints, of the configuration that this server runs with.',
  tag,
  answers: { 200: withRevision(json('The settings; secrets are masked.', ConfigSchema)) },
  failures: [],
  schemas,
}

export const patchConfig: Operation = {
  operationId: 'changeConfig',
  summary: 'Change settings while the server runs',
  description:
    'All or nothing, checked as the configuration file is. Kept in `console.json` of the `data_dir`: over the file, under ' +
    'flags and variables. An event that runs keeps the settings that it began with.',
  tag,
  parameters: [
    {
      name: 'If-Match',
      in: 'header',
      description: 'The `revision` that you read. If it has changed since, you get a `conflict`.',
      schema: string(),
      required: true,
    },
  ],
  body: { content: { 'application/json': { schema: ConfigPatchSchema } } },
  answers: { 200: withRevision(json('What has changed.', ChangedConfigSchema)) },
  failures: ['invalid_request', 'invalid_input_format', 'conflict', 'configuration_error'],
  schemas,
}

export const getConfigChanges: Operation = {
  operationId: 'listConfigChanges',
  summary: 'Which settings were changed while the server ran, and by whom',
  tag,
  answers: { 200: json('The changes; secrets are masked.', ConfigChangeListSchema) },
  failures: [],
  schemas,
}

export const getKeys: Operation = {
  operationId: 'listKeys',
  summary: 'Who may ask: the API keys without the keys',
  tag,
  answers: { 200: json('The keys; none where none are wanted.', KeyListSchema) },
  failures: [],
  schemas,
}

const hand: Parameter = {
  name: 'hand',
  in: 'path',
  description: 'The `hand` of the event, from `GET /line`.',
  schema: string(),
}

export const getLine: Operation = {
  operationId: 'getLine',
  summary: 'Who runs where, who waits, and when each is likely to start',
  description: 'Does not ask any backend. Estimates use the speeds that the desk has learned.',
  tag,
  answers: { 200: json('The events that run or wait at this server.', LineSchema) },
  failures: [],
  schemas,
}

export const deleteHand: Operation = {
  operationId: 'cancelInHand',
  summary: 'Cancel an event that runs or waits, down to the GPU',
  description:
    'A key with the scope `events` can end only the events of its own name; `admin` can end all. If the event is a ticket, the ticket is cancelled too.',
  tag,
  parameters: [hand],
  answers: {
    200: json('It has ended, and its backend has stopped.', EndedSchema),
    202: json('It has ended; its backend has not stopped yet.', EndedSchema),
  },
  failures: ['not_found', 'store_unavailable'],
  schemas,
}

const backendName: Parameter = {
  name: 'name',
  in: 'path',
  description: 'The name of the backend.',
  schema: string(),
}

const steering = (given: Pick<Operation, 'operationId' | 'summary' | 'description'>): Operation => ({
  ...given,
  tag,
  parameters: [backendName],
  answers: { 200: json('How the backend is now.', BackendReportSchema) },
  failures: ['not_found'],
  schemas: { ...schemas, ...DESK_SCHEMAS },
})

export const postPause = steering({
  operationId: 'pauseBackend',
  summary: 'Send no new events to a backend',
  description:
    'What runs there ends. Events that only this backend may serve wait, until their deadlines. The pause lasts until it is ' +
    'resumed, or until the server is restarted.',
})

export const postResume = steering({
  operationId: 'resumeBackend',
  summary: 'Send new events to a paused backend again',
})

export const postProbe = steering({
  operationId: 'probeBackend',
  summary: 'Ask a backend now how it is',
})

const seriesTime = (name: 'from' | 'to', description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: pipe(string(), isoTimestamp()),
})

export const getSeries: Operation = {
  operationId: 'getSeries',
  summary: 'What a server counted over time: events, waiting, durations, and the time of its backends',
  description:
    'Steps of 10 s for the last hour, in memory; of minutes for as long as tickets are kept (`keep_days`), where there is a store. ' +
    'Null is a gap. Each server counts for itself.',
  tag,
  parameters: [
    seriesTime('from', 'When the range begins, ISO 8601. Default: an hour before `to`, or 360 times `step`.'),
    seriesTime('to', 'When it ends. Default: now.'),
    {
      name: 'step',
      in: 'query',
      description:
        'The length of a step, in seconds: 10, 20, 30 or a multiple of 60. Default: such that there are about 360 at most; at most ' +
        '1,500 are given. Steps of less than a minute show only what is in memory.',
      schema: string(),
    },
  ],
  answers: { 200: json('The figures, step by step, and over all steps.', SeriesSchema) },
  failures: ['invalid_input_format'],
  schemas,
}

export const getFeed: Operation = {
  operationId: 'readFeed',
  summary: 'What changes, as server-sent events',
  description:
    'A reader who comes back with `Last-Event-ID` gets what it missed, of the last 1,000 tickets that changed; `gap` says that ' +
    'something is missing. So is a reader told who reads too slowly.',
  tag,
  parameters: [
    {
      name: 'only',
      in: 'query',
      description: 'One or more of desk, line, ticket and config, separated by commas.',
      schema: string(),
    },
    ...TICKET_FILTERS.filter(({ name }) => name !== 'limit' && name !== 'cursor'),
    metadataFilter,
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'The id of the last event that you read.',
      schema: string(),
    },
  ],
  answers: {
    200: {
      description: 'The feed; it does not end.',
      headers: { 'cache-control': { description: '`no-cache`.', required: true } },
      content: { 'text/event-stream': { schema: string(), events: FEED_EVENTS } },
    },
  },
  failures: ['invalid_input_format'],
  schemas,
}
