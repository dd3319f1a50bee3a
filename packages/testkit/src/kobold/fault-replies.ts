import { jsonReply, type WholeReply } from '../wire/reply-sink.ts'
import {
  badInput,
  busy,
  contextLengthExceeded,
  openAiError,
  rateLimited,
  unauthorized,
} from './contract/error-replies.ts'
import type { KoboldFault } from './contract/kobold-script.ts'
import {
  doneMark,
  type ReplyIdentity,
  textEvents,
  usageEvent,
  wholeBody,
} from './generation/generation-replies.ts'
import type { GenerationPlan } from './generation/plan-generation.ts'

type StatusFault = Extract<KoboldFault, { fault: 'status' }>

/** What an answer fault says to a generation; undefined for faults of another kind. */
export function faultAnswer(
  fault: KoboldFault,
  { identity, stream, contextLength }: { identity: ReplyIdentity; stream: boolean; contextLength: number },
): FaultAnswer | undefined {
  switch (fault.fault) {
    case 'status':
      return whole(statusReply(fault))
    case 'busy':
      return whole(busy())
    case 'rate_limited':
      return whole(rateLimited(fault.seconds ?? 4))
    case 'bad_input':
      return whole(badInput())
    case 'context_length':
      return whole(contextLengthExceeded(contextLength))
    case 'not_json':
      return eitherWay(stream, fault.body ?? '<html><body>It works!</body></html>')
    case 'wrong_shape':
      return eitherWay(
        stream,
        JSON.stringify(fault.body ?? { answer: 'This is not the shape you look for.' }),
      )
    case 'error_in_200':
      return eitherWay(stream, errorBody(fault.message ?? 'The simulated model failed.'))
    case 'empty_choices':
      return emptyChoices(identity, stream)
    case 'null_reply':
      return stream ? undefined : whole(jsonReply('null'))
    case 'empty_text':
      return planAnswer(identity, stream, saysNothing)
    case 'huge_line':
      return planAnswer(identity, stream, hugePlan(fault.bytes ?? 2 * 1024 * 1024))
    default:
      return undefined
  }
}

function defaultStatusReply(status: number): WholeReply {
  if (status === 401) return unauthorized()
  if (status === 503) return busy()
  if (status === 404) return { status, contentType: 'text/html', body: '', length: false }
  const message = `Simulated failure with status ${status}.`
  return openAiError(status, { message, type: 'simulated_failure', code: null })
}

function statusReply({ status, retryAfter, body, contentType, headers }: StatusFault): WholeReply {
  const reply = defaultStatusReply(status)
  return {
    ...reply,
    body: body ?? reply.body,
    contentType: contentType ?? reply.contentType,
    headers: { ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }), ...headers },
  }
}

/** An answer by fault: a whole one, or the events of a stream that ends cleanly. */
type FaultAnswer =
  | { readonly kind: 'whole'; readonly reply: WholeReply }
  | { readonly kind: 'stream'; readonly events: readonly string[] }

function whole(reply: WholeReply): FaultAnswer {
  return { kind: 'whole', reply }
}

function eitherWay(stream: boolean, body: string): FaultAnswer {
  return stream ? { kind: 'stream', events: [`data: ${body}\n\n`] } : whole(jsonReply(body))
}

const saysNothing: GenerationPlan = {
  text: '',
  prompt: '',
  promptTokens: 0,
  completionTokens: 0,
  finishReason: 'length',
  stopReason: 0,
}

function streamOf(identity: ReplyIdentity, plan: GenerationPlan): FaultAnswer {
  const texts = plan.text === '' ? [] : textEvents(identity, plan.text, null)
  return {
    kind: 'stream',
    events: [...texts, ...textEvents(identity, '', plan.finishReason), doneMark(identity)],
  }
}

function planAnswer(identity: ReplyIdentity, stream: boolean, plan: GenerationPlan): FaultAnswer {
  return stream ? streamOf(identity, plan) : whole(jsonReply(wholeBody(identity, plan)))
}

function emptyChoices(identity: ReplyIdentity, stream: boolean): FaultAnswer {
  const native = identity.endpoint === 'native'
  if (!stream)
    return whole(jsonReply(native ? '{"results": []}' : '{"object": "chat.completion", "choices": []}'))
  const event = native ? 'event: message\ndata: {"results": []}\n\n' : usageEvent(identity, saysNothing)
  return { kind: 'stream', events: [event, doneMark(identity)] }
}

function errorBody(message: string): string {
  return JSON.stringify({ error: { message, type: 'server_error', code: 500 } })
}

function hugePlan(bytes: number): GenerationPlan {
  const text = 'a'.repeat(bytes)
  return {
    text,
    prompt: '',
    promptTokens: 1,
    completionTokens: Math.ceil(bytes / 4),
    finishReason: 'stop',
    stopReason: 1,
  }
}
