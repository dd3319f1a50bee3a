import {
  type Backend,
  createConsolaLogger,
  createDispatcher,
  createKoboldBackend,
  createOpenAIBackend,
  type Dispatcher,
  type DispatcherOptions,
  type Logger,
  type LogStream,
  parseLogLevel,
} from '@ai-ticket/core'
import type { BackendConfig } from './backend-config.ts'
import type { Config } from './config.ts'

// The one place that puts the parts together.

type Maker<Type extends BackendConfig['type']> = (
  config: Extract<BackendConfig, { type: Type }>,
  logger: Logger,
) => Backend

type KoboldConfig = Extract<BackendConfig, { type: 'kobold' }>

/** A kind of backend that the schema gains does not compile until it has its maker. */
const MAKERS: { readonly [Type in BackendConfig['type']]: Maker<Type> } = {
  kobold: ({ name, url, api_key: apiKey, model, timeouts }, logger) =>
    createKoboldBackend({
      name,
      url,
      logger,
      ...(apiKey !== undefined && { apiKey }),
      ...(model !== undefined && { model }),
      ...koboldTimeouts(timeouts),
    }),
  openai: ({ name, url, api_key: apiKey, model, models, timeouts: { connect_ms, token_ms } = {} }) =>
    createOpenAIBackend({
      name,
      url,
      ...(apiKey !== undefined && { apiKey }),
      ...(model !== undefined && { model }),
      ...(models !== undefined && { models }),
      ...(connect_ms !== undefined && { connectTimeoutMs: connect_ms }),
      ...(token_ms !== undefined && { tokenTimeoutMs: token_ms }),
    }),
}

/** Only what is given: an option that is `undefined` is not one that is left out. */
function koboldTimeouts(timeouts: KoboldConfig['timeouts'] = {}) {
  const { connect_ms, token_ms, silence_probe_ms, dead_after_ms, abort_interval_ms } = timeouts
  return {
    ...(connect_ms !== undefined && { connectTimeoutMs: connect_ms }),
    ...(token_ms !== undefined && { tokenTimeoutMs: token_ms }),
    ...(silence_probe_ms !== undefined && { silenceProbeMs: silence_probe_ms }),
    ...(dead_after_ms !== undefined && { deadAfterMs: dead_after_ms }),
    ...(abort_interval_ms !== undefined && { abortIntervalMs: abort_interval_ms }),
  }
}

export function composeLogger(config: Config, stream: LogStream): Logger {
  // The configuration has checked the name.
  return createConsolaLogger({ level: parseLogLevel(config.logLevel) ?? 'info', stream })
}

/** The compiler does not see that a maker and its configuration belong together. */
function makeBackend(config: BackendConfig, logger: Logger): Backend {
  return config.type === 'openai' ? MAKERS.openai(config, logger) : MAKERS.kobold(config, logger)
}

/** Who is told of what the desk does. */
export type Watchers = Pick<DispatcherOptions, 'observer' | 'onOutcome'>

export function composeDispatcher(config: Config, logger: Logger, watchers: Watchers = {}): Dispatcher {
  return createDispatcher({
    ...config.tuning,
    logger,
    ...watchers,
    backends: config.backends.map((backend) => ({
      backend: makeBackend(backend, logger),
      ...(backend.concurrency !== undefined && { concurrency: backend.concurrency }),
      ...(backend.aliases !== undefined && { aliases: backend.aliases }),
    })),
  })
}
