export { createLlamaBackend } from './create-llama-backend.ts'
export type { LlamaBackendOptions } from './llama-options.ts'
