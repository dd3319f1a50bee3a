import type { Dispatcher, Logger } from '@ai-ticket/core'
import { composeDispatcher, composeLogger } from '../compose/compose-dispatcher.ts'
import { sayProblem } from '../compose/open-backend.ts'
import type { Config, ResolvedConfig } from '../config/config.ts'

export interface Desk extends AsyncDisposable {
  readonly config: Config
  readonly dispatcher: Dispatcher
}

/**
 * A desk for one command, in this process. Log lines go to stderr: only warnings and errors unless a level was given.
 * Undefined where a backend cannot be opened; what is wrong has been printed.
 */
export async function openDesk({
  config: given,
  origins,
  warnings,
  notes,
}: ResolvedConfig): Promise<Desk | undefined> {
  const quiet = origins.logLevel.kind === 'default' ? { logLevel: 'warning' } : {}
  const config = { ...given, ...quiet }
  const written = composeLogger(config, process.stderr)
  const logger = 'logLevel' in quiet ? withoutFailures(written) : written
  for (const warning of warnings) logger.warn(warning)
  for (const note of notes) logger.debug(note)
  const dispatcher = await composeDispatcher(config, { logger }).catch(sayProblem)
  if (dispatcher === undefined) return undefined
  return { config, dispatcher, [Symbol.asyncDispose]: () => dispatcher.close() }
}

/** The command itself says how its event failed. */
const withoutFailures = (logger: Logger): Logger => ({
  ...logger,
  warn(message, fields) {
    if (message !== 'event failed') logger.warn(message, fields)
  },
})
