/** Fields that make a line findable: `event_id`, `trace_id`, `backend`, `code`, `duration_ms`… */
export type LogFields = Readonly<Record<string, unknown>>

/** Levels of lines, from the least to the most urgent. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error'

/** What the library asks of a logger. Prompts, completions and keys are never logged above debug. */
export interface Logger {
  /** False: lines of this level are dropped, so that nobody need put their fields together. Absent: none is. */
  isEnabled?(level: LineLevel): boolean
  /** For debugging a single event: each call, each probe. */
  debug(message: string, fields?: LogFields): void
  /** What happens as it should: how an event ended, a backend that is back. */
  info(message: string, fields?: LogFields): void
  /** What somebody may want to know of: a failed event, a backend that is away. */
  warn(message: string, fields?: LogFields): void
  /** A bug, here or in a callback. */
  error(message: string, fields?: LogFields): void
}

/** Writes nothing. The default of `createDispatcher`. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
