import type { Dispatcher, Logger } from '@ai-ticket/core'
import { composeDispatcher, composeLogger } from '../compose/compose-dispatcher.ts'
import { sayProblem } from '../compose/open-backend.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/config.ts'
import { configFlags } from './command-line.ts'

export interface Desk extends AsyncDisposable {
  readonly config: Config
  readonly dispatcher: Dispatcher
}

/**
 * A desk for one command, in this process. Log lines go to stderr: only warnings and errors unless a level was given.
 * Undefined where the configuration is wrong; what is wrong has been printed.
 */
export async function openDesk(args: Readonly<Record<string, unknown>>): Promise<Desk | undefined> {
  const loaded = loadConfig(configFlags(args), process.env)
  if (!loaded.ok) {
    for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
    return undefined
  }
  const { origins, warnings } = loaded.value
  const quiet = origins.logLevel.kind === 'default' ? { logLevel: 'warning' } : {}
  const config = { ...loaded.value.config, ...quiet }
  const written = composeLogger(config, process.stderr)
  const logger = 'logLevel' in quiet ? withoutFailures(written) : written
  for (const warning of warnings) logger.warn(warning)
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
