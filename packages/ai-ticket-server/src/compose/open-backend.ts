import {
  type Backend,
  createKoboldBackend,
  createOpenAIBackend,
  type KoboldBackendOptions,
  type Logger,
  type OpenAIBackendOptions,
} from '@ai-ticket/core'
import type { LlamaBackendOptions } from '@ai-ticket/llama'
import type { BackendConfig } from '../config/backend-config.ts'
import { type LoadLlama, openLlama } from './open-llama.ts'

export interface OpenOptions {
  readonly logger: Logger
  /** Default: imports the package. */
  readonly loadLlama?: LoadLlama | undefined
}

type ConfigOf<Type extends BackendConfig['type']> = Extract<BackendConfig, { type: Type }>

/** Throws a `BackendProblem` where it cannot be opened. Only a model in this process takes time. */
export async function openBackend(
  config: BackendConfig,
  { logger, loadLlama }: OpenOptions,
): Promise<Backend> {
  switch (config.type) {
    case 'kobold':
      return createKoboldBackend({ ...koboldOptions(config), logger })
    case 'openai':
      return createOpenAIBackend(openAIOptions(config))
    case 'llama':
      logger.info(`Loading the model ${config.model_path}`, { backend: config.name })
      return openLlama(llamaOptions(config), loadLlama)
  }
}

// Handed in by programs and tests; a file has no words for them.
type Parts = 'clock' | 'fetch' | 'logger'

const koboldOptions = (config: ConfigOf<'kobold'>) =>
  onlyGiven<Omit<KoboldBackendOptions, Parts>>({
    url: config.url,
    name: config.name,
    apiKey: config.api_key,
    model: config.model,
    template: config.template,
    connectTimeoutMs: config.timeouts?.connect_ms,
    tokenTimeoutMs: config.timeouts?.token_ms,
    silenceProbeMs: config.timeouts?.silence_probe_ms,
    deadAfterMs: config.timeouts?.dead_after_ms,
    abortIntervalMs: config.timeouts?.abort_interval_ms,
  })

const openAIOptions = (config: ConfigOf<'openai'>) =>
  onlyGiven<Omit<OpenAIBackendOptions, Parts>>({
    url: config.url,
    name: config.name,
    apiKey: config.api_key,
    model: config.model,
    models: config.models,
    template: config.template,
    connectTimeoutMs: config.timeouts?.connect_ms,
    tokenTimeoutMs: config.timeouts?.token_ms,
  })

const llamaOptions = (config: ConfigOf<'llama'>) =>
  onlyGiven<LlamaBackendOptions>({
    modelPath: config.model_path,
    name: config.name,
    model: config.model,
    contextSize: config.context_size,
    concurrency: config.concurrency,
    gpu: config.gpu,
    threads: config.threads,
    chatTemplate: config.chat_template,
    template: config.template,
  })

/**
 * Every option, set or not: one that a backend gains does not compile until it has its place here. An option that is
 * `undefined` is not one that is left out.
 */
function onlyGiven<Options>(all: { readonly [Name in keyof Options]-?: Options[Name] | undefined }): Options {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Options
}
