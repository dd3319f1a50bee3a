import type { Dispatcher } from '@ai-ticket/core'
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
}: ResolvedConfig): Promise<Desk | undefined> {
  const quiet = origins.logLevel.kind === 'default' ? { logLevel: 'warning' } : {}
  const config = { ...given, ...quiet }
  const logger = composeLogger(config, process.stderr)
  for (const warning of warnings) logger.warn(warning)
  const dispatcher = await composeDispatcher(config, { logger }).catch(sayProblem)
  if (dispatcher === undefined) return undefined
  return { config, dispatcher, [Symbol.asyncDispose]: () => dispatcher.close() }
}
