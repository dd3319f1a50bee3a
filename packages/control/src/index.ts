export type { BackendReport } from '@ai-ticket/core'
export type { BulkBody, CallbackBody, TicketBody, TicketRowBody } from '@ai-ticket/tickets/fastify'
export type { CallerBody } from './bodies/caller.ts'
export type {
  ChangedConfigBody,
  ConfigBody,
  ConfigChangeBody,
  ConfigChangeListBody,
  MadeChangeBody,
  SettingBody,
} from './bodies/config.ts'
export type { DeskBody, FeedEvents } from './bodies/feed.ts'
export type { KeyBody, KeyListBody } from './bodies/keys.ts'
export type { EndedBody, LineBody, RunningBody, WaitingBody } from './bodies/line.ts'
export type { BackendColumns, SeriesBody, SeriesColumns, SeriesTotal } from './bodies/series.ts'
export { type ControlRoutesOptions, controlRoutes } from './control-routes.ts'
export type { SettingsChange, SettingsChanged, SettingsChanger } from './routes/config.ts'
export { createSeries, type Series, type SeriesOptions } from './series/series.ts'
