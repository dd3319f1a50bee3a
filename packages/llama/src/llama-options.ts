import { alpacaTemplate, type TranscriptTemplate } from '@ai-ticket/core'

/** Options of `createLlamaBackend`. A bad value throws a `TypeError` that names it. */
export interface LlamaBackendOptions {
  /** The GGUF file. */
  modelPath: string
  /** Names the backend in outcomes, logs and events. Default `llama`. */
  name?: string
  /** The model's name in outcomes. Default: the file's name without `.gguf`. */
  model?: string
  /** In tokens, for each generation that runs at the same time. Default: as much as the model knows and memory holds. */
  contextSize?: number
  /** Generations at a time; the others wait in order. Give the dispatcher the same number of slots. Default 1. */
  concurrency?: number
  /** Default `auto`: the best that works here. `false`: the processor alone. */
  gpu?: 'auto' | 'metal' | 'cuda' | 'vulkan' | false
  /** Threads of the processor. Default: what node-llama-cpp chooses, which is too many for a processor that is shared. */
  threads?: number
  /** Jinja text, instead of the chat template in the file. */
  chatTemplate?: string
  /** How a conversation is written for a model without a chat template. Default: Alpaca's tags. */
  template?: TranscriptTemplate
}

export type LlamaSettings = Required<Omit<LlamaBackendOptions, 'contextSize' | 'threads' | 'chatTemplate'>> &
  Pick<LlamaBackendOptions, 'contextSize' | 'threads' | 'chatTemplate'>

const GPUS: ReadonlySet<unknown> = new Set(['auto', 'metal', 'cuda', 'vulkan', false])

/** The options with all defaults; throws a `TypeError` that names a bad one. */
export function resolveLlamaOptions(options: LlamaBackendOptions): LlamaSettings {
  if (typeof options !== 'object' || options === null) throw new TypeError('the options must be an object')
  const { modelPath, name = 'llama', contextSize, threads, chatTemplate } = options
  const { concurrency = 1, gpu = 'auto', template = alpacaTemplate } = options
  const { model = modelName(modelPath) } = options
  for (const [key, value] of Object.entries({ modelPath, name, model })) {
    check(isText(value), `${key} must be a text that is not empty`)
  }
  for (const [key, value] of Object.entries({ contextSize, threads, concurrency })) {
    check(value === undefined || isCount(value), `${key} must be a whole number above 0`)
  }
  check(GPUS.has(gpu), 'gpu must be "auto", "metal", "cuda", "vulkan" or false')
  check(chatTemplate === undefined || isText(chatTemplate), 'chatTemplate must be a text that is not empty')
  return {
    modelPath,
    name,
    model,
    concurrency,
    gpu,
    template,
    ...(contextSize !== undefined && { contextSize }),
    ...(threads !== undefined && { threads }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  }
}

const modelName = (path: unknown): string => {
  const file = typeof path === 'string' ? (path.split(/[\\/]/).at(-1) ?? '') : ''
  return file.replace(/\.gguf$/i, '') || 'model'
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 0

function check(good: boolean, problem: string): void {
  if (!good) throw new TypeError(problem)
}
