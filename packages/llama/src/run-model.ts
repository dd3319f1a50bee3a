import type { GenerationRequest } from '@ai-ticket/core'
import type { LlamaChatResponseChunk, LlamaContextSequence, LlamaGrammar } from 'node-llama-cpp'
import type { Engine } from './open-engine.ts'
import type { ModelPrompt } from './read-prompt.ts'
import { toSampling } from './sampling.ts'

export interface ModelRun {
  readonly engine: Engine
  readonly sequence: LlamaContextSequence
  readonly prompt: ModelPrompt
  readonly grammar: LlamaGrammar | undefined
  readonly request: GenerationRequest
  readonly signal: AbortSignal
  onText(text: string): void
  onReasoning(text: string): void
}

export interface ModelResult {
  /** As node-llama-cpp calls it. */
  readonly stopReason: string
  /** Tokens that were generated, the ones of a stop string included. */
  readonly tokens: number
}

/** Lets the model write until it ends, a limit or stop string is reached, or the signal is aborted. */
export async function runModel(run: ModelRun): Promise<ModelResult> {
  const { sequence } = run
  const before = sequence.tokenMeter.getState()
  const { metadata } = await (run.prompt.as === 'chat' ? chat(run, run.prompt) : complete(run, run.prompt))
  return { stopReason: metadata.stopReason, tokens: sequence.tokenMeter.diff(before).usedOutputTokens }
}

async function complete(run: ModelRun, { input }: ModelPrompt & { as: 'text' }) {
  const completion = new run.engine.library.LlamaCompletion({ contextSequence: run.sequence })
  try {
    return await completion.generateCompletionWithMeta(input, {
      ...commonOptions(run),
      ...(run.grammar && { grammar: run.grammar }),
      onTextChunk: run.onText,
      disableContextShift: true,
      // It would be cut off the prompt, too.
      contextShiftSize: 1,
    })
  } finally {
    completion.dispose({ disposeSequence: false })
  }
}

async function chat(run: ModelRun, { wrapper, history }: ModelPrompt & { as: 'chat' }) {
  const session = new run.engine.library.LlamaChat({ contextSequence: run.sequence, chatWrapper: wrapper })
  try {
    const options = {
      ...commonOptions(run),
      contextShift: { size: 1 },
      onResponseChunk: (chunk: LlamaChatResponseChunk) =>
        (chunk.type === 'segment' ? run.onReasoning : run.onText)(chunk.text),
    }
    const { grammar } = run
    return await (grammar
      ? session.generateResponse(history, { ...options, grammar })
      : session.generateResponse(history, options))
  } finally {
    session.dispose({ disposeSequence: false })
  }
}

function commonOptions({ engine, request, prompt, signal }: ModelRun) {
  const stop = [...new Set([...(request.parameters.stop ?? []), ...prompt.stop])]
  return {
    ...toSampling(engine, request),
    // The room that is left. A context is never shifted, because that silently forgets the beginning.
    maxTokens: Math.min(request.parameters.max_tokens, engine.contextSize - prompt.tokens),
    signal,
    stopOnAbortSignal: true,
    ...(stop.length > 0 && { customStopTriggers: stop }),
  }
}
