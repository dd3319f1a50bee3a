import { pythonJson } from '../../wire/python-json.ts'
import type { GenerationEndpoint } from '../contract/recorded-call.ts'
import type { KoboldVersion } from '../contract/simulator-options.ts'
import type { GenerationPlan } from './plan-generation.ts'

/** What every reply of one generation shares. */
export interface ReplyIdentity {
  readonly endpoint: GenerationEndpoint
  readonly version: KoboldVersion
  readonly model: string
  readonly id: string
}

let serial = 100_000

/** Constants in 1.76, a number of six digits in 1.115.1. */
export function identityOf(
  endpoint: GenerationEndpoint,
  version: KoboldVersion,
  model: string,
): ReplyIdentity {
  serial = serial >= 999_999 ? 100_000 : serial + 1
  const prefix = endpoint === 'chat' ? 'chatcmpl-A' : 'cmpl-A'
  return { endpoint, version, model, id: prefix + (version === '1.76' ? '1' : String(serial)) }
}

/** The body of a plain call's answer, field for field as recorded. */
export function wholeBody(identity: ReplyIdentity, plan: GenerationPlan): string {
  const { endpoint, version, id, model } = identity
  if (endpoint === 'native') return pythonJson({ results: [nativeResult(version, plan)] })
  return pythonJson({
    id,
    object: endpoint === 'chat' ? 'chat.completion' : 'text_completion',
    created: created(),
    model,
    usage: usageOf(version, plan),
    choices: [choice(identity, plan)],
  })
}

/** One event of a stream. Native events are two writes on the wire, and so are they here. */
export function textEvents(identity: ReplyIdentity, text: string, finishReason: string | null): string[] {
  // Before the end 1.76 says the string "null", newer servers JSON null.
  const finish = finishReason ?? (identity.version === '1.76' ? 'null' : null)
  if (identity.endpoint === 'native') {
    return ['event: message\n', `data: ${pythonJson({ token: text, finish_reason: finish })}\n\n`]
  }
  const content = identity.endpoint === 'chat' ? { delta: { role: 'assistant', content: text } } : { text }
  return [chunk(identity, { choices: [{ index: 0, finish_reason: finish, ...content }] })]
}

/** Tool calls come in one piece when all is there [by the documentation of the real server, not recorded]. */
export function toolCallEvents(identity: ReplyIdentity, toolCalls: readonly unknown[]): string[] {
  const delta = { role: 'assistant', content: null, tool_calls: toolCalls }
  return [chunk(identity, { choices: [{ index: 0, finish_reason: null, delta }] })]
}

export function usageEvent(identity: ReplyIdentity, plan: GenerationPlan): string {
  return chunk(identity, { choices: [], usage: usageOf(identity.version, plan) })
}

/** What ends a stream: nothing on the native endpoint; 1.76 leaves out the line end. */
export function doneMark({ endpoint, version }: ReplyIdentity): string {
  if (endpoint === 'native') return ''
  return version === '1.76' ? 'data: [DONE]' : 'data: [DONE]\n\n'
}

function created(): number {
  return Math.floor(Date.now() / 1000)
}

function usageOf(version: KoboldVersion, plan: GenerationPlan) {
  if (version === '1.76') return { prompt_tokens: 100, completion_tokens: 100, total_tokens: 200 }
  const { promptTokens, completionTokens } = plan
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}

function nativeResult(version: KoboldVersion, plan: GenerationPlan) {
  const { text, finishReason } = plan
  if (version === '1.76') return { text, finish_reason: finishReason }
  return {
    text,
    tool_calls: plan.toolCalls ?? [],
    finish_reason: finishReason,
    logprobs: null,
    prompt_tokens: plan.promptTokens,
    completion_tokens: plan.completionTokens,
  }
}

function message(plan: GenerationPlan) {
  const { toolCalls = [], reasoning } = plan
  return {
    role: 'assistant',
    content: toolCalls.length > 0 ? null : plan.text,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    tool_calls: toolCalls,
  }
}

function choice({ endpoint, version }: ReplyIdentity, plan: GenerationPlan) {
  const logprobs = version === '1.76' ? {} : { logprobs: null }
  const finish = { finish_reason: plan.finishReason, ...logprobs }
  if (endpoint === 'text') return { text: plan.text, index: 0, ...finish }
  return { index: 0, message: message(plan), ...finish }
}

function chunk({ endpoint, version, id, model }: ReplyIdentity, rest: Record<string, unknown>): string {
  const object = endpoint === 'chat' ? 'chat.completion.chunk' : 'text_completion'
  const shown = version === '1.76' ? 'koboldcpp' : id
  return `data: ${pythonJson({ id: shown, object, created: created(), model, ...rest })}\n\n`
}
