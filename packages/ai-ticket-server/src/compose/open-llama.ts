import type { Backend } from '@ai-ticket/core'
import type { LlamaBackendOptions } from '@ai-ticket/llama'
import { BackendProblem } from './backend-problem.ts'

export type LoadLlama = () => Promise<Pick<typeof import('@ai-ticket/llama'), 'createLlamaBackend'>>

/** Only for a configuration that asks for it: everybody else starts without it, and may do without the package. */
const importLlama: LoadLlama = () => import('@ai-ticket/llama')

/** Loads the model. Throws a `BackendProblem` that says what to install or to correct. */
export async function openLlama(options: LlamaBackendOptions, load = importLlama): Promise<Backend> {
  try {
    const { createLlamaBackend } = await load()
    return await createLlamaBackend(options)
  } catch (cause) {
    throw new BackendProblem(`The backend "${options.name}" cannot be opened: ${reasonOf(cause)}`, { cause })
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const isMissing = 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
  if (!isMissing) return cause.message + remedyOf(cause.cause)
  return 'the package @ai-ticket/llama is not installed. Add it and its library with: npm install @ai-ticket/llama node-llama-cpp@3'
}

const remedyOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? '. Correct its "model_path".' : ''
