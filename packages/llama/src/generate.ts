import {
  BackendError,
  type GenerationEvent,
  type GenerationOptions,
  type GenerationRequest,
} from '@ai-ticket/core'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { createDeltaQueue } from './delta-queue.ts'
import type { Lanes } from './lanes.ts'
import type { LlamaSettings } from './llama-options.ts'
import type { Engine } from './open-engine.ts'
import { readGrammar } from './read-grammar.ts'
import { type ModelPrompt, readPrompt } from './read-prompt.ts'
import { type ModelResult, runModel } from './run-model.ts'

export interface LlamaDesk {
  readonly engine: Engine
  readonly settings: LlamaSettings
  readonly lanes: Lanes<LlamaContextSequence>
  /** What the model works on, whether somebody reads it or not. */
  readonly running: Set<Promise<unknown>>
  /** Aborted when the backend is closed. */
  readonly closed: AbortSignal
}

type Delta = Extract<GenerationEvent, { type: 'delta' }>

/** One generation, by the duties that `Backend` names. */
export async function* generate(
  desk: LlamaDesk,
  request: GenerationRequest,
  { signal, stream }: GenerationOptions,
): AsyncGenerator<GenerationEvent> {
  const { engine, settings, lanes, closed } = desk
  const stop = AbortSignal.any([signal, closed])
  if (stop.aborted) throw stopped(desk, 'not_sent')
  const prompt = readPrompt(engine, settings, request)
  checkRoom(desk, prompt)
  const grammar = await readGrammar(engine, settings.name, request)
  const sequence = await lanes.take(stop).catch(() => {
    throw stopped(desk, 'not_sent')
  })
  const left = new AbortController()
  const queue = createDeltaQueue<Delta>()
  let text = ''
  let reasoning = ''
  const add = (delta: Delta) => {
    if (!delta.text && !delta.reasoning) return
    text += delta.text
    reasoning += delta.reasoning ?? ''
    if (stream) queue.push(delta)
  }
  const running = runModel({
    engine,
    sequence,
    prompt,
    grammar,
    request,
    signal: AbortSignal.any([stop, left.signal]),
    onText: (text) => add({ type: 'delta', text }),
    onReasoning: (reasoning) => add({ type: 'delta', text: '', reasoning }),
  }).finally(queue.end)
  desk.running.add(running)
  // It is awaited below, once its text has been read: until then its failure must not count as unhandled.
  running.catch(() => {})
  try {
    yield* queue.items()
    const result = await running
    if (stop.aborted) throw stopped(desk, 'ended', text)
    yield toEnd(desk, request, { prompt, result, text, reasoning })
  } catch (error) {
    if (error instanceof BackendError) throw error
    if (stop.aborted) throw stopped(desk, 'ended', text)
    throw new BackendError('status', `Backend ${settings.name} failed while it generated.`, {
      status: 500,
      cause: error,
      ...(text && { partial: text }),
    })
  } finally {
    // The reader may have left early: nobody waits for the rest, and the lane is free only when the model stands still.
    left.abort()
    await running.catch(() => {})
    desk.running.delete(running)
    lanes.give(sequence)
  }
}

interface Answer {
  prompt: ModelPrompt
  result: ModelResult
  text: string
  reasoning: string
}

function toEnd(
  { settings }: LlamaDesk,
  { parameters }: GenerationRequest,
  { prompt, result, text, reasoning }: Answer,
): GenerationEvent {
  const { stopReason, tokens } = result
  return {
    type: 'end',
    text,
    finish_reason: stopReason === 'maxTokens' && tokens >= parameters.max_tokens ? 'length' : 'stop',
    raw_finish_reason: stopReason,
    usage: { prompt_tokens: prompt.tokens, completion_tokens: tokens },
    model: settings.model,
    ...(reasoning && { reasoning }),
  }
}

function checkRoom({ engine, settings }: LlamaDesk, { tokens }: ModelPrompt): void {
  if (tokens < engine.contextSize) return
  throw new BackendError(
    'status',
    `Backend ${settings.name} was not asked: the prompt has ${tokens} tokens, its context holds ${engine.contextSize}.`,
    { status: 400, reason: 'context_length', stopped: 'not_sent' },
  )
}

function stopped({ settings, closed }: LlamaDesk, how: 'not_sent' | 'ended', partial?: string): BackendError {
  const options = { stopped: how, ...(partial && { partial }) }
  return closed.aborted
    ? new BackendError('disconnected', `Backend ${settings.name} is closed.`, options)
    : new BackendError('aborted', `Backend ${settings.name} was told to stop.`, options)
}
