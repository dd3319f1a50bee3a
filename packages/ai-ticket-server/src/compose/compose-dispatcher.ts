import {
  type BackendEntry,
  type ConsolaLogger,
  createConsolaLogger,
  createDispatcher,
  type Dispatcher,
  type DispatcherOptions,
  type LogStream,
  parseLogLevel,
} from '@ai-ticket/core'
import type { BackendConfig } from '../config/backend-config.ts'
import type { Config } from '../config/config.ts'
import { type OpenOptions, openBackend } from './open-backend.ts'

// The one place that puts the parts together.

export function composeLogger(config: Config, stream: LogStream): ConsolaLogger {
  // The configuration has checked the name.
  return createConsolaLogger({ level: parseLogLevel(config.logLevel) ?? 'info', stream })
}

/** Who hears about what the desk does. */
type Watchers = Pick<DispatcherOptions, 'observer' | 'onOutcome'>

/** A desk whose settings can be changed while it runs. */
export interface DeskParts {
  readonly dispatcher: Dispatcher
  /** Opens what another configuration needs. Throws a `BackendProblem` where a backend cannot be opened. */
  prepare(config: Config): Promise<PreparedDesk>
}

interface PreparedDesk {
  /** The desk obeys it from here on. */
  apply(): void
  /** Closes what was opened in vain. */
  discard(): Promise<void>
}

interface ComposeOptions extends OpenOptions {
  readonly watchers?: Watchers
}

/** Resolves when models in this process are loaded. Throws a `BackendProblem` where a backend cannot be opened. */
export const composeDispatcher = async (config: Config, options: ComposeOptions): Promise<Dispatcher> =>
  (await composeDesk(config, options)).dispatcher

/** The same, for a server that changes its settings. */
export async function composeDesk(
  config: Config,
  { watchers, ...options }: ComposeOptions,
): Promise<DeskParts> {
  let running = await openBackends(config.backends, options)
  const settingsOf = ({ tuning, contextPolicy }: Config, opened: readonly Opened[]) => ({
    ...tuning,
    contextPolicy,
    backends: opened.map(({ entry }) => entry),
  })
  const dispatcher = createDispatcher({
    ...settingsOf(config, running),
    logger: options.logger,
    ...watchers,
  })
  return {
    dispatcher,
    async prepare(next) {
      const known = new Set(running.map(({ entry }) => entry.backend))
      const opened = await openBackends(withModelsOf(running, next.backends), options, running)
      const added = opened.flatMap(({ entry: { backend } }) => (known.has(backend) ? [] : [backend]))
      return {
        apply() {
          dispatcher.reconfigure(settingsOf(next, opened))
          running = opened
          // So that whoever added it sees whether it answers.
          for (const { name } of added) void dispatcher.backend(name)?.probe()
        },
        async discard() {
          await Promise.allSettled(added.map((backend) => backend.close()))
        },
      }
    },
  }
}

interface Opened {
  readonly config: BackendConfig
  readonly entry: BackendEntry
}

/**
 * A model in this process is loaded at the start, where its memory is measured: what is changed of it waits for the next
 * start, and one that was removed serves until then.
 */
function withModelsOf(running: readonly Opened[], wanted: readonly BackendConfig[]): BackendConfig[] {
  const models = running.flatMap(({ config }) => (config.type === 'llama' ? [config] : []))
  const kept = wanted.flatMap((config): BackendConfig[] =>
    config.type === 'llama' ? models.filter(({ name }) => name === config.name) : [config],
  )
  const left = models.filter(({ name }) => !wanted.some((config) => config.name === name))
  const all: BackendConfig[] = [...kept, ...left]
  return all.length > 0 ? all : running.map(({ config }) => config)
}

/** What a backend is asked with; a change of the rest leaves it as it is. */
function connectionOf(config: BackendConfig): string {
  if (config.type === 'llama') return JSON.stringify(config)
  const { concurrency: _concurrency, aliases: _aliases, warm_prompts: _warm, ...connection } = config
  return JSON.stringify(connection)
}

/**
 * One after the other: two models that are loaded at once take the memory of each other's measure. Those that are open
 * already are used again.
 */
async function openBackends(
  configs: readonly BackendConfig[],
  options: OpenOptions,
  before: readonly Opened[] = [],
): Promise<Opened[]> {
  const opened: Opened[] = []
  const isNew: Opened[] = []
  try {
    for (const config of configs) {
      const { concurrency, aliases, warm_prompts: warmPrompts } = config
      const known = before.find((one) => connectionOf(one.config) === connectionOf(config))
      const one = {
        config,
        entry: {
          backend: known?.entry.backend ?? (await openBackend(config, options)),
          ...(concurrency !== undefined && { concurrency }),
          ...(aliases !== undefined && { aliases }),
          ...(warmPrompts !== undefined && { warmPrompts }),
        },
      }
      opened.push(one)
      if (!known) isNew.push(one)
    }
    return opened
  } catch (error) {
    await Promise.allSettled(isNew.map(({ entry }) => entry.backend.close()))
    throw error
  }
}
