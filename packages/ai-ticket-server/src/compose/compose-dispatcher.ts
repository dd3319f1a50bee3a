import {
  type BackendEntry,
  createConsolaLogger,
  createDispatcher,
  type Dispatcher,
  type DispatcherOptions,
  type Logger,
  type LogStream,
  parseLogLevel,
} from '@ai-ticket/core'
import type { BackendConfig } from '../config/backend-config.ts'
import type { Config } from '../config/config.ts'
import { type OpenOptions, openBackend } from './open-backend.ts'

// The one place that puts the parts together.

export function composeLogger(config: Config, stream: LogStream): Logger {
  // The configuration has checked the name.
  return createConsolaLogger({ level: parseLogLevel(config.logLevel) ?? 'info', stream })
}

/** Who hears about what the desk does. */
type Watchers = Pick<DispatcherOptions, 'observer' | 'onOutcome'>

/** Resolves when models in this process are loaded. Throws a `BackendProblem` where a backend cannot be opened. */
export async function composeDispatcher(
  { tuning, contextPolicy, backends }: Config,
  { watchers, ...options }: OpenOptions & { readonly watchers?: Watchers },
): Promise<Dispatcher> {
  const entries = await openBackends(backends, options)
  return createDispatcher({
    ...tuning,
    contextPolicy,
    logger: options.logger,
    ...watchers,
    backends: entries,
  })
}

/** One after the other: two models that are loaded at once take the memory of each other's measure. */
async function openBackends(
  configs: readonly BackendConfig[],
  options: OpenOptions,
): Promise<BackendEntry[]> {
  const entries: BackendEntry[] = []
  try {
    for (const config of configs) {
      const { concurrency, aliases, warm_prompts: warmPrompts } = config
      entries.push({
        backend: await openBackend(config, options),
        ...(concurrency !== undefined && { concurrency }),
        ...(aliases !== undefined && { aliases }),
        ...(warmPrompts !== undefined && { warmPrompts }),
      })
    }
    return entries
  } catch (error) {
    await Promise.allSettled(entries.map(({ backend }) => backend.close()))
    throw error
  }
}
