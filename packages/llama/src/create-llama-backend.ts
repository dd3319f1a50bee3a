import { type Backend, BackendError, type Endpoint } from '@ai-ticket/core'
import { generate, type LlamaDesk } from './generate.ts'
import { createLanes } from './lanes.ts'
import { type LlamaBackendOptions, resolveLlamaOptions } from './llama-options.ts'
import { loadLibrary } from './load-library.ts'
import { openEngine } from './open-engine.ts'
import { readPrompt } from './read-prompt.ts'

const carries = { images: false, tools: false, schema: 'grammar' } as const

/**
 * A GGUF model in this process, on `node-llama-cpp`, as a backend: no server at all. One endpoint: `chat` for a model
 * with a chat template, else `text`. Resolves when the model is in memory.
 *
 * A generation that is aborted, or left early, stops before the next token; one that still reads its prompt, after the
 * batch it reads. A prompt that does not fit is refused, never cut, and a context is never shifted.
 *
 * Not covered: images, tools, more than one model. A JSON Schema is followed as far as node-llama-cpp knows its words.
 *
 * Throws a `TypeError` for a bad option, and an `Error` where `node-llama-cpp` is not installed or the file cannot be
 * loaded. Nothing is downloaded or compiled.
 */
export async function createLlamaBackend(options: LlamaBackendOptions): Promise<Backend> {
  const settings = resolveLlamaOptions(options)
  const engine = await openEngine(await loadLibrary(), settings)
  const { context, contextSize, chatWrapper } = engine
  const sequences = Array.from({ length: settings.concurrency }, () => context.getSequence())
  const closing = new AbortController()
  const lanes = createLanes(sequences)
  const desk: LlamaDesk = { engine, settings, lanes, running: new Set(), closed: closing.signal }
  const endpoint: Endpoint = chatWrapper
    ? { name: 'chat', turns: true, ...carries }
    : { name: 'text', turns: false, ...carries }
  const checkOpen = () => {
    if (closing.signal.aborted) throw new BackendError('connect', `Backend ${settings.name} is closed.`)
  }
  let closed: Promise<void> | undefined
  return {
    name: settings.name,
    endpoints: [endpoint],
    generate(asked, request, how) {
      if (asked.name === endpoint.name) return generate(desk, request, how)
      throw new BackendError('invalid_request', `Backend ${settings.name} has no endpoint ${asked.name}.`)
    },
    async probe() {
      checkOpen()
      return {
        models: [settings.model],
        contextLength: contextSize,
        idle: lanes.busy === 0,
        waiting: lanes.waiting,
      }
    },
    async countTokens(request) {
      checkOpen()
      return readPrompt(engine, settings, request).tokens
    },
    close() {
      closing.abort()
      closed ??= Promise.allSettled(desk.running).then(engine.close)
      return closed
    },
  }
}
