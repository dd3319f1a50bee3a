import { countTokens, firstTokens, tokenEnd } from '../../wire/simulated-tokens.ts'
import type { ResolvedOptions, SimulatedAnswer } from '../contract/simulator-options.ts'
import type { GenerationRequest } from './read-generation-request.ts'

/** All that will be generated, decided before the first token. */
export interface GenerationPlan {
  readonly text: string
  /** What is left of the prompt after it was cut. */
  readonly prompt: string
  readonly promptTokens: number
  readonly completionTokens: number
  readonly finishReason: string
  /** As perf numbers it: 0 length, 1 end of text, 2 stop string, -2 error. */
  readonly stopReason: number
  readonly toolCalls?: readonly unknown[]
  readonly reasoning?: string
}

/** The prompt does not fit and the simulator was told to say so. */
export const doesNotFit = Symbol('prompt does not fit')

/** Decides the whole answer to a request. `keepTokens` cuts the prompt further than the context does. */
export function planGeneration(
  { request, body, keepTokens }: { request: GenerationRequest; body: unknown; keepTokens?: number },
  options: ResolvedOptions,
): GenerationPlan | typeof doesNotFit {
  // A max_length near the context is shortened to leave room for the prompt, without a word.
  const maxTokens = Math.min(request.maxTokens, Math.floor(options.contextLength * 0.8))
  const room = Math.min(
    keepTokens ?? options.contextLength,
    options.contextLength - Math.max(0, maxTokens) - 1,
  )
  const tokens = countTokens(request.text)
  const cut = tokens > room
  if (cut && keepTokens === undefined && !options.cutPromptSilently) return doesNotFit
  const text = cut ? lastTokens(request.text, room) : request.text
  const answer = askAnswer(request, { text, cut, body }, options)
  const ending = endingOf(answer.text, maxTokens, request)
  const calls = options.version === '1.76' ? undefined : answer.toolCalls
  const finishReason = options.finishReason ?? (calls === undefined ? ending.finishReason : 'tool_calls')
  return {
    text: ending.text,
    prompt: text,
    promptTokens: Math.min(tokens, room) + 1,
    completionTokens: ending.tokens,
    finishReason,
    stopReason: ending.stopReason,
    ...(calls === undefined ? {} : { toolCalls: calls }),
    ...(answer.reasoning === undefined ? {} : { reasoning: answer.reasoning }),
  }
}

/** What a server without a model "generates". */
export function emptyPlan(options: ResolvedOptions, finishReason: string): GenerationPlan {
  const error = finishReason === 'error'
  return {
    text: '',
    prompt: '',
    promptTokens: 0,
    completionTokens: 0,
    finishReason: options.version === '1.76' ? 'length' : finishReason,
    stopReason: error ? -2 : 0,
  }
}

function lastTokens(text: string, tokens: number): string {
  let left = countTokens(text) - tokens
  let start = 0
  for (; left > 0; left -= 1) start = tokenEnd(text, start)
  return text.slice(start)
}

/** What was generated up to the stop string, and what of it is shown. */
function cutAtStop(text: string, { stops, trimStop }: GenerationRequest) {
  let first: { at: number; stop: string } | undefined
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at >= 0 && (first === undefined || at < first.at)) first = { at, stop }
  }
  if (first === undefined) return undefined
  const generated = text.slice(0, first.at + first.stop.length)
  return { generated, shown: trimStop ? text.slice(0, first.at) : generated }
}

function jsonAnswer(schema: unknown, answerJson: unknown): string {
  return JSON.stringify(typeof answerJson === 'function' ? answerJson(schema) : answerJson)
}

function askAnswer(
  request: GenerationRequest,
  prompt: { text: string; cut: boolean; body: unknown },
  options: ResolvedOptions,
): SimulatedAnswer {
  if (request.schema !== undefined && options.answerJson !== undefined && !options.ignoreSchema) {
    return { text: jsonAnswer(request.schema, options.answerJson) }
  }
  const answer = options.answer({
    text: prompt.text,
    cut: prompt.cut,
    body: prompt.body as Readonly<Record<string, unknown>>,
    ...(request.messages === undefined ? {} : { messages: request.messages }),
    ...(request.prompt === undefined ? {} : { prompt: prompt.text }),
  })
  return typeof answer === 'string' ? { text: answer } : answer
}

interface Ending {
  readonly text: string
  /** Those of a stop string count, though it is cut off. */
  readonly tokens: number
  readonly finishReason: string
  readonly stopReason: number
}

/** A stop string, the limit and an abort all say "length"; only the end of the text says "stop". */
function endingOf(full: string, maxTokens: number, request: GenerationRequest): Ending {
  const limited = firstTokens(full, Math.max(0, maxTokens))
  const stopped = cutAtStop(limited, request)
  if (stopped !== undefined) {
    const tokens = countTokens(stopped.generated)
    return { text: stopped.shown, tokens, finishReason: 'length', stopReason: 2 }
  }
  const tokens = countTokens(limited)
  if (limited.length < full.length || maxTokens <= 0) {
    return { text: limited, tokens, finishReason: 'length', stopReason: 0 }
  }
  return { text: full, tokens, finishReason: 'stop', stopReason: 1 }
}
