import type { ServerResponse } from 'node:http'
import type { JsonRecord } from '../wire/json-record.ts'
import { countTokens, createTokenRun, firstTokens, type Timers } from '../wire/simulated-tokens.ts'
import type { OpenAICall, ResolvedOpenAIOptions, ScriptedReply } from './openai-simulator-options.ts'
import { promptTokensOf } from './openai-tokenizer.ts'

interface OpenAIAnswer {
  readonly call: OpenAICall
  readonly response: ServerResponse
  readonly settings: ResolvedOpenAIOptions
  readonly timers: Timers
  changed(): void
}

/** Generates the fixed text, as a stream or in one piece, until the caller leaves. */
export function answerOpenAI({ call, response, settings, timers, changed }: OpenAIAnswer): void {
  const { body, path } = call
  const isChat = path.endsWith('/chat/completions')
  const stream = body.stream === true
  const { text, finishReason } = endingOf(settings.answer(body), body)
  const head = {
    id: 'sim-1',
    object: isChat ? (stream ? 'chat.completion.chunk' : 'chat.completion') : 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: typeof body.model === 'string' ? body.model : settings.models[0],
  }
  const usage = () => {
    const counts = { prompt_tokens: promptTokensOf(body), completion_tokens: countTokens(text) }
    return { ...counts, total_tokens: counts.prompt_tokens + counts.completion_tokens }
  }
  const event = (piece: string, finish_reason: string | null) =>
    frame({
      ...head,
      choices: [{ index: 0, ...(isChat ? { delta: { content: piece } } : { text: piece }), finish_reason }],
    })
  if (stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
  }
  const run = createTokenRun({
    text,
    tokensPerSecond: settings.tokensPerSecond,
    promptMs: settings.promptMs,
    timers,
    onText(piece, tokens) {
      call.tokensGenerated += tokens
      if (stream) response.write(event(piece, null))
      changed()
    },
    onComplete() {
      if (!stream) {
        const message = { role: 'assistant', content: text }
        const choice = { index: 0, ...(isChat ? { message } : { text }), finish_reason: finishReason }
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ ...head, choices: [choice], usage: usage() }))
        return
      }
      response.write(event('', finishReason))
      if (wantsUsage(body)) response.write(frame({ ...head, choices: [], usage: usage() }))
      response.end(frame('[DONE]'))
    },
  })
  response.on('close', () => run.stop())
  run.start()
}

function endingOf(full: string, body: JsonRecord): { text: string; finishReason: string } {
  const limit = body.max_completion_tokens ?? body.max_tokens
  const limited = typeof limit === 'number' ? firstTokens(full, limit) : full
  const stops = [body.stop].flat().filter((stop) => typeof stop === 'string')
  const ends = stops.map((stop) => limited.indexOf(stop)).filter((at) => at >= 0)
  if (ends.length > 0) return { text: limited.slice(0, Math.min(...ends)), finishReason: 'stop' }
  return { text: limited, finishReason: limited.length < full.length ? 'length' : 'stop' }
}

function wantsUsage({ stream_options }: JsonRecord): boolean {
  if (typeof stream_options !== 'object' || stream_options === null) return false
  return 'include_usage' in stream_options && stream_options.include_usage === true
}

/** Sends a reply as it stands in a script. */
export function sendScripted(response: ServerResponse, reply: ScriptedReply): void {
  const { status = 200, headers = {}, body, events, ending = 'end' } = reply
  const isText = typeof body === 'string'
  const contentType = events ? 'text/event-stream' : isText ? 'text/plain' : 'application/json'
  response.writeHead(status, { 'content-type': contentType, ...headers })
  if (events) for (const event of events) response.write(frame(event))
  else if (body !== undefined) response.write(isText ? body : JSON.stringify(body))
  if (ending === 'end') response.end()
  else if (ending === 'cut') response.write('', () => response.destroy())
  else response.flushHeaders()
}

/** One server-sent event; a text is sent as it is. */
const frame = (event: unknown): string =>
  `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`
