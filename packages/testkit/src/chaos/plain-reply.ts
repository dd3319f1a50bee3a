import type { ChaosReply, Choice, Exchange, PlanContext } from './chaos-plan.ts'
import { type Meaning, thoughtFields, truthOf } from './meaning.ts'
import { planErrorObject, refusalTruth } from './refusals.ts'
import { cutBytes, headPause, planTransport } from './transport.ts'

/** An answer in one piece, whole or spoiled. */
export function planPlain(context: PlanContext, meaning: Meaning): Exchange {
  const { choice } = context
  const fault = choice.happens(0.65)
    ? 'none'
    : choice.way('fault', [
        'cut',
        'cut',
        'error',
        'html',
        'null',
        'empty',
        'no choice',
        'stopped',
        'failed',
        'unheard',
      ])
  const body = plainBody(context, meaning)
  const send = (text: string, how: Partial<ChaosReply> = {}): ChaosReply => ({
    status: 200,
    headers: contentType(choice, how.headers),
    ...planTransport(choice),
    headAfterMs: headPause(choice, context.pauses),
    steps: cutBytes(choice, [{ afterMs: 0, text }]),
    end: 'close',
    ...(how.end && { end: how.end }),
  })
  if (fault === 'none') {
    const end = choice.pick(['close', 'close', 'close', 'close', 'short'] as const)
    // A reply that is shorter than it says may lack anything, though this one does not.
    const ends = end === 'short' ? ('either' as const) : ('answer' as const)
    const codes = ['api_connection_error', 'api_stream_interrupted']
    const truth = {
      ...truthOf(meaning),
      usage: meaning.usage ?? null,
      ends,
      codes,
      mostCalls: ends === 'either' ? 3 : 1,
    }
    return { reply: send(body(meaning.reason), { end }), truth }
  }
  if (fault === 'cut') return cutPlain(context, { text: body(meaning.reason), send })
  if (fault === 'stopped' || fault === 'failed') {
    const isStopped = fault === 'stopped'
    const reason = isStopped
      ? choice.pick(['abort', 'cancelled', 'interrupted'])
      : choice.pick(['error', 'failed'])
    const codes = [isStopped ? 'api_stream_interrupted' : 'api_response_structure_error']
    // What it had written is told.
    const truth = { ...truthOf(meaning), ends: 'failure' as const, codes, mostCalls: isStopped ? 3 : 1 }
    return { reply: send(body(reason)), truth }
  }
  const { text, codes, mostCalls = 1, end = 'close', headers } = noAnswer(context, fault)
  return { reply: send(text, { end, ...(headers && { headers }) }), truth: refusalTruth(codes, mostCalls) }
}

interface NoAnswer {
  readonly text: string
  readonly codes: readonly string[]
  readonly mostCalls?: number
  readonly end?: ChaosReply['end']
  readonly headers?: Readonly<Record<string, string>>
}

function noAnswer(
  { choice }: PlanContext,
  fault: 'error' | 'html' | 'null' | 'empty' | 'no choice' | 'unheard',
): NoAnswer {
  if (fault === 'unheard') return { text: '', codes: ['api_connection_error'], mostCalls: 3, end: 'unheard' }
  if (fault === 'null') return { text: 'null', codes: ['api_response_structure_error'] }
  if (fault === 'no choice') {
    const text = choice.pick([
      '{}',
      '{"choices":[]}',
      '{"choices":null}',
      '[]',
      '7',
      '{"results":[]}',
      '{"id":"x"}',
    ])
    return { text, codes: ['api_response_structure_error'] }
  }
  if (fault === 'error') {
    const { value, text, codes } = planErrorObject(choice)
    choice.note(text)
    return { text: JSON.stringify(value), codes }
  }
  if (fault === 'html') {
    const headers = {
      'content-type': choice.pick(['text/html', 'text/html; charset=utf-8', 'application/json']),
    }
    return { text: '<!doctype html><title>Sign in</title>', codes: ['api_response_format_error'], headers }
  }
  // Nothing behind a head: of a stream it is one that broke off, unless the head says that it is none.
  const headers = { 'content-type': choice.pick(['application/json', 'text/event-stream', '']) }
  return { text: '', codes: ['api_response_format_error', 'api_stream_interrupted'], mostCalls: 3, headers }
}

function contentType(choice: Choice, given: ChaosReply['headers'] | undefined): ChaosReply['headers'] {
  if (given) return given
  const types = [
    'application/json',
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'text/html',
    '',
  ]
  const type = choice.way('type', [...types, 'text/event-stream'])
  return type ? { 'content-type': type } : {}
}

function cutPlain(
  { choice, target }: PlanContext,
  { text, send }: { text: string; send: (text: string, how: Partial<ChaosReply>) => ChaosReply },
): Exchange {
  // White space behind the object is nothing that could be missing.
  const whole = text.trimEnd().length
  const at = choice.between(0, whole - 1)
  const end = choice.way('cut by', ['close', 'reset', 'short'])
  choice.note(`cut at ${at} of ${whole}`)
  const reply = send(text.slice(0, at), { end })
  const codes = [
    ...['api_connection_error', 'api_response_format_error'],
    ...(target.streams || reply.headers['content-type']?.includes('event-stream')
      ? ['api_stream_interrupted']
      : []),
  ]
  return { reply, truth: refusalTruth(codes, 3) }
}

/** The body with a finish reason. */
function plainBody({ choice, target }: PlanContext, meaning: Meaning): (reason: string) => string {
  const space = choice.happens(0.1) ? choice.pick(['\n', '  \r\n', '\uFEFF', ' '.repeat(2_000)]) : ''
  const indent = choice.happens(0.1) ? 2 : 0
  const isSilent = choice.happens(0.1)
  const silence = choice.pick([null, '', undefined])
  return (reason) => {
    // A whole reply needs no reason.
    const finish_reason = isSilent && reason === 'stop' ? silence : reason
    return (
      space + JSON.stringify(replyOf({ choice, target, pauses: false }, meaning, finish_reason), null, indent)
    )
  }
}

function replyOf({ choice, target }: PlanContext, meaning: Meaning, finish_reason: unknown): object {
  const { written, usage } = meaning
  if (target.endpoint === 'native') {
    const counts = usage && { prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens }
    return { results: [{ text: written, finish_reason, ...counts }] }
  }
  const one = target.endpoint === 'text' ? { text: written } : { message: messageOf(choice, meaning) }
  const counts = usage && { usage: { ...usage, total_tokens: 1 } }
  return {
    id: 'chatcmpl-7f3',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, ...one, finish_reason }],
    ...counts,
  }
}

function messageOf(choice: Choice, { written, thoughts, reasoning, toolCalls }: Meaning): object {
  const isField = thoughts === 'reasoning_content' || thoughts === 'reasoning' || thoughts === 'both'
  const isParts = thoughts === 'parts'
  const text = { type: 'text', text: written }
  const content = isParts
    ? [...[thoughtFields('parts', reasoning).content].flat(), text]
    : choice.happens(0.9)
      ? written || choice.pick([null, ''])
      : [text, { type: 'reference' }]
  const calls = toolCalls.map(({ name, arguments: given }, index) => ({
    ...choice.pick([{ id: `call_${index}` }, { id: `call_${index}`, index }, {}]),
    type: 'function',
    function: { name, arguments: given },
  }))
  return {
    role: 'assistant',
    content,
    ...(isField && thoughtFields(thoughts, reasoning)),
    ...(calls.length > 0
      ? { tool_calls: calls }
      : choice.pick([{}, {}, { tool_calls: [] }, { tool_calls: null }])),
  }
}
