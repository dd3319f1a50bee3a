import { VERSION } from '../version.ts'

const QUIET_LEVELS: readonly string[] = ['silent', 'critical', 'fatal', 'error', 'warning', 'warn', 'log']

/**
 * A sign of life in the shape of the logger's lines, before anything heavy (the logger among it) is loaded. Empty where
 * the level keeps it quiet.
 */
export function firstLine(logLevel: string, isTerminal: boolean): string {
  if (QUIET_LEVELS.includes(logLevel.toLowerCase())) return ''
  const time = new Date().toISOString()
  const message = `AI Ticket ${VERSION} starts`
  return isTerminal
    ? `${time.slice(11, 23)} INFO  ${message}\n`
    : `${JSON.stringify({ time, level: 'info', message })}\n`
}
