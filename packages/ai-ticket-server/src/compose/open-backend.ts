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

// Programs and tests pass these; a file cannot.
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
 * Takes every option, set or not: one that a backend gains does not compile until it has its place here. Drops those
 * that are `undefined`: to a backend that is not the same as left out.
 */
function onlyGiven<Options>(all: { readonly [Name in keyof Options]-?: Options[Name] | undefined }): Options {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Options
}

type LoadLlama = () => Promise<Pick<typeof import('@ai-ticket/llama'), 'createLlamaBackend'>>

/** Only for a configuration that asks for it: everybody else starts faster and needs no such package. */
const importLlama: LoadLlama = () => import('@ai-ticket/llama')

/** Loads the model. Throws a `BackendProblem` that says what to install or to correct. */
async function openLlama(options: LlamaBackendOptions, load = importLlama): Promise<Backend> {
  try {
    const { createLlamaBackend } = await load()
    return await createLlamaBackend(options)
  } catch (cause) {
    throw new BackendProblem(`The backend "${options.name}" cannot be opened: ${reasonOf(cause)}`, { cause })
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (!isNotInstalled(cause)) return cause.message + remedyOf(cause.cause)
  return 'the package @ai-ticket/llama is not installed. Add it and its library with: npm install @ai-ticket/llama node-llama-cpp@3'
}

/** Of an `import()`: the package is not there. */
export const isNotInstalled = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'

const remedyOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? '. Correct its "model_path".' : ''

/** A backend of the configuration that cannot be opened. Its message says why and what to do. */
export class BackendProblem extends Error {
  override readonly name = 'BackendProblem'
}

/** Prints it for whoever started the program; anything else is a bug and is thrown on. */
export function sayProblem(error: unknown): undefined {
  if (!(error instanceof BackendProblem)) throw error
  process.stderr.write(`${error.message}\n`)
}
