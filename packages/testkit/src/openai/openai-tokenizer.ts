import type { JsonRecord } from '../wire/json-record.ts'
import { countTokens } from '../wire/simulated-tokens.ts'
import type { ResolvedOpenAIOptions, ScriptedReply } from './openai-simulator-options.ts'

/** What llama.cpp and vLLM say of the tokens of a prompt; undefined: this server has no such path. */
export function tokenizerReply(
  { flavour, models, contextLength }: ResolvedOpenAIOptions,
  path: string,
  body: JsonRecord,
): ScriptedReply | undefined {
  if (flavour === 'llama.cpp' && path === '/apply-template') return { body: { prompt: writePrompt(body) } }
  if (flavour === 'llama.cpp' && path === '/tokenize') {
    // Without a content there is nothing to count, and no error either.
    const { content } = body
    return { body: { tokens: numbered(typeof content === 'string' ? countTokens(content) : 0) } }
  }
  if (flavour !== 'vllm' || path !== '/tokenize') return undefined
  if (body.model !== undefined && !models.includes(String(body.model))) {
    const message = `The model \`${body.model}\` does not exist.`
    return { status: 404, body: { error: { message, type: 'NotFoundError', code: 404 } } }
  }
  const count = promptTokensOf(body)
  return { body: { count, max_model_len: contextLength, tokens: numbered(count), token_strs: null } }
}

const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** The prompt as the simulated model sees it: messages and tools stay the JSON they came as. */
const writePrompt = ({ prompt, messages, tools }: JsonRecord): string =>
  typeof prompt === 'string'
    ? prompt
    : JSON.stringify(messages ?? '') + (tools === undefined ? '' : JSON.stringify(tools))

/** By the simulator's count. */
export const promptTokensOf = (body: JsonRecord): number => countTokens(writePrompt(body))
