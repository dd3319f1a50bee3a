import type { ReplySink } from '../wire/reply-sink.ts'
import { jsonReply } from '../wire/reply-sink.ts'
import { countTokens, createTokenRun, limitedText, type Timers } from '../wire/simulated-tokens.ts'
import { type ReplyIdentity, wholeBody } from './generation-replies.ts'
import type { KoboldFault } from './kobold-script.ts'
import type { GenerationPlan } from './plan-generation.ts'
import type { RecordedCall } from './recorded-call.ts'
import type { ResolvedOptions } from './simulator-options.ts'
import { createStreamWriter, type StreamWriter } from './stream-writer.ts'

/** How a run ended: `complete` and `aborted` were answered, `cut` was not, `lost` goes on hanging without the model. */
export type RunEnd = 'complete' | 'aborted' | 'cut' | 'lost'

export interface RunCallOptions {
  readonly call: RecordedCall
  readonly sink: ReplySink
  readonly plan: GenerationPlan
  readonly identity: ReplyIdentity
  readonly includeUsage: boolean
  readonly fault: KoboldFault | undefined
  readonly options: ResolvedOptions
  readonly timers: Timers
  onTokens(tokens: number): void
  /** The model is free again. Called once. */
  onEnd(end: RunEnd, text: string): void
}

export interface CallRun {
  start(): void
  abort(): void
  kill(): void
  /** The caller closed its connection. */
  callerGone(): void
  textSoFar(): string
}

type MidFault = Extract<KoboldFault, { fault: 'hang_mid_stream' | 'reset_mid_chunk' | 'cut_stream' }>

function midFault(fault: KoboldFault | undefined): MidFault | undefined {
  if (fault === undefined) return undefined
  const { fault: name } = fault
  return name === 'hang_mid_stream' || name === 'reset_mid_chunk' || name === 'cut_stream' ? fault : undefined
}

function hangsBusy(fault: KoboldFault | undefined): boolean {
  return (
    (fault?.fault === 'hang_before_headers' || fault?.fault === 'hang_mid_stream') && fault.busy !== false
  )
}

function ignoresAbort(fault: KoboldFault | undefined): boolean {
  return (
    (fault?.fault === 'hang_before_headers' || fault?.fault === 'hang_mid_stream') &&
    fault.ignoreAbort === true
  )
}

function speedOf({ fault, options }: RunCallOptions): number {
  return fault?.fault === 'slow_drip' ? 1000 / fault.msPerToken : options.tokensPerSecond
}

function contentTypeOf(fault: KoboldFault | undefined, usual: string): string {
  return fault?.fault === 'wrong_content_type' ? (fault.contentType ?? 'text/html') : usual
}

/** One generation from its turn to its end: the model's work on one side, the answer on the other. */
export function createCallRun(run: RunCallOptions): CallRun {
  const { call, sink, plan, fault, options, timers } = run
  const cut = midFault(fault)
  const stream: StreamWriter | undefined = call.stream
    ? createStreamWriter({
        sink,
        identity: run.identity,
        includeUsage: run.includeUsage,
        overheadMs: options.streamOverheadMs,
        timers,
      })
    : undefined
  let ended = false
  let answering = false

  const end = (how: RunEnd) => {
    if (ended) return
    ended = true
    tokens.stop()
    run.onEnd(how, tokens.textSoFar())
  }
  const answer = (answered: GenerationPlan, how: RunEnd) => {
    if (answering || ended) return
    answering = true
    if (stream !== undefined) return stream.finish(answered, () => end(how))
    const reply = jsonReply(wholeBody(run.identity, answered))
    sink.reply({ ...reply, contentType: contentTypeOf(fault, reply.contentType) })
    end(how)
  }
  const letGo = () => {
    if (ended) return
    end('cut')
    sink.end()
  }
  const cutOff = (reset: boolean) => {
    if (stream === undefined) sink.replyHalf(jsonReply(wholeBody(run.identity, plan)))
    else if (reset) sink.write('data: {"id": "chatcmpl-A1", "obj')
    if (reset) sink.reset()
    else sink.end()
    end('cut')
  }
  const meet = (met: MidFault) => {
    if (met.fault === 'hang_mid_stream') {
      stream?.afterText(() => {})
      if (met.busy === false) end('lost')
      return
    }
    const action = () => cutOff(met.fault === 'reset_mid_chunk')
    if (stream === undefined) action()
    else stream.afterText(action)
  }
  const tokens = createTokenRun({
    text: limitedText(plan.text, cut === undefined ? undefined : (cut.afterTokens ?? 3)),
    tokensPerSecond: speedOf(run),
    promptMs: (plan.promptTokens * 1000) / options.promptTokensPerSecond,
    timers,
    onText(piece, count) {
      run.onTokens(count)
      // 1.76 finds out that the caller left only when it writes.
      if (call.clientGoneAt !== undefined && stream !== undefined && options.version === '1.76') letGo()
      else stream?.text(piece)
    },
    onComplete() {
      if (cut === undefined) answer(plan, 'complete')
      else meet(cut)
    },
  })
  const beginHanging = () => {
    if (fault?.fault === 'stream_head_then_nothing' || fault?.fault === 'null_reply') {
      stream?.open('text/event-stream')
      end('lost')
      return true
    }
    if (fault?.fault !== 'hang_before_headers') return false
    if (!hangsBusy(fault)) end('lost')
    return true
  }
  const callerGone = () => {
    if (stream === undefined || options.version === '1.76' || ended) return
    timers.later(options.hangUpNoticeMs, () => {
      if (!ignoresAbort(fault)) letGo()
    })
  }
  return {
    start() {
      if (beginHanging()) {
        if (call.clientGoneAt !== undefined) callerGone()
        return
      }
      stream?.open(contentTypeOf(fault, 'text/event-stream'))
      if (call.clientGoneAt !== undefined) callerGone()
      tokens.start()
    },
    abort() {
      if (ended || answering || ignoresAbort(fault)) return
      tokens.stop()
      const text = tokens.textSoFar()
      const stopped = { completionTokens: countTokens(text), finishReason: 'length', stopReason: 0 }
      const { toolCalls: _never, ...rest } = plan
      if (stream !== undefined && fault?.fault === 'hang_before_headers') stream.open('text/event-stream')
      answer({ ...rest, text, ...stopped }, 'aborted')
    },
    kill: () => end('cut'),
    callerGone,
    textSoFar: () => tokens.textSoFar(),
  }
}
