import { BackendError, type GenerationRequest, type Turn, writeTranscript } from '@ai-ticket/core'
import type { ChatHistoryItem, ChatWrapper, Token } from 'node-llama-cpp'
import type { LlamaSettings } from './llama-options.ts'
import type { Engine } from './open-engine.ts'

/** What the model is given to read. */
export type ModelPrompt =
  | {
      readonly as: 'chat'
      readonly wrapper: ChatWrapper
      readonly history: ChatHistoryItem[]
      readonly stop: readonly string[]
      readonly tokens: number
    }
  | {
      readonly as: 'text'
      readonly input: Token[]
      readonly stop: readonly string[]
      readonly tokens: number
    }

/** Throws a `BackendError` for what a model in process cannot be given. */
export function readPrompt(engine: Engine, settings: LlamaSettings, request: GenerationRequest): ModelPrompt {
  const problem = findProblem(request)
  if (problem !== undefined) throw refused(settings.name, problem)
  const { chatWrapper: wrapper, model } = engine
  if (wrapper === undefined) {
    const { text, stop } = writeTranscript(request.turns, settings.template)
    // As tokens, for of a text the library would leave out the space that the tokenizer puts before it.
    const input = model.tokenize(text)
    return { as: 'text', input, stop, tokens: input.length + (model.tokens.shouldPrependBosToken ? 1 : 0) }
  }
  const history = toHistory(request.turns)
  try {
    const { contextText } = wrapper.generateContextState({ chatHistory: history })
    const tokens = contextText.tokenize(model.tokenizer, 'trimLeadingSpace').length
    return { as: 'chat', wrapper, history, stop: [], tokens }
  } catch (error) {
    throw refused(settings.name, 'its chat template does not take this order of turns', error)
  }
}

/** A last assistant turn is left open, so that it is continued. */
function toHistory(turns: readonly Turn[]): ChatHistoryItem[] {
  const history = turns.map((turn): ChatHistoryItem => {
    const text = textOf(turn)
    if (turn.role === 'system') return { type: 'system', text }
    return turn.role === 'user' ? { type: 'user', text } : { type: 'model', response: [text] }
  })
  return history.at(-1)?.type === 'model' ? history : [...history, { type: 'model', response: [] }]
}

const textOf = ({ content }: Turn): string =>
  typeof content === 'string'
    ? content
    : (content ?? []).flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n')

function findProblem({ turns, parameters }: GenerationRequest): string | undefined {
  if (turns.length === 0) return 'there are no turns'
  if (parameters.tools?.length) return 'it takes no tools'
  for (const [index, { role, content, tool_calls }] of turns.entries()) {
    if (role === 'tool' || tool_calls?.length) return `turn ${index} belongs to a tool, and it takes none`
    if (typeof content === 'string') continue
    if (!Array.isArray(content)) return `turn ${index} has no content`
    if (content.some((part) => part.type !== 'text')) return `turn ${index} holds an image, and it takes none`
  }
  return undefined
}

export const refused = (name: string, problem: string, cause?: unknown): BackendError =>
  new BackendError('invalid_request', `Backend ${name} was not asked: ${problem}.`, { cause })
