/** Fields that make a line findable: `event_id`, `trace_id`, `backend`, `code`, `duration_ms`… */
export type LogFields = Readonly<Record<string, unknown>>

/** The level of one line of the log. */
export type LineLevel = 'debug' | 'info' | 'warn' | 'error'

/** What the library asks of a logger. Prompts, completions and keys are never logged above debug. */
export interface Logger {
  /** False: lines of this level are dropped, so that nobody need put their fields together. Absent: none is. */
  isEnabled?(level: LineLevel): boolean
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** A logger that drops every line: the default of the library. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
