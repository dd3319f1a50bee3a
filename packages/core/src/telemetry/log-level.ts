/** From quiet to talkative; each includes those before it. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

const LEVEL_NAMES: Readonly<Record<string, LogLevel>> = {
  // Python's
  critical: 'error',
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  notset: 'debug',
  // consola's; its `log` stands between `warn` and `info`, where this library has nothing to say
  silent: 'silent',
  fatal: 'error',
  log: 'warn',
  success: 'info',
  fail: 'info',
  ready: 'info',
  start: 'info',
  box: 'info',
  trace: 'debug',
  verbose: 'debug',
}

/**
 * Reads a log level by Python's names (`DEBUG`, `INFO`, `WARNING`, `WARN`, `ERROR`, `CRITICAL`) or consola's, in any
 * case. Undefined for anything else: the caller says so, rather than quietly taking a default.
 */
export function parseLogLevel(text: string): LogLevel | undefined {
  const name = text.trim().toLowerCase()
  return Object.hasOwn(LEVEL_NAMES, name) ? LEVEL_NAMES[name] : undefined
}
