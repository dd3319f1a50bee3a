import { jsonReply, type ReplySink } from '../../wire/reply-sink.ts'
import {
  countTokens,
  createTokenRun,
  limitedText,
  type Timers,
  type TokenRun,
} from '../../wire/simulated-tokens.ts'
import type { KoboldFault } from '../contract/kobold-script.ts'
import type { RecordedCall } from '../contract/recorded-call.ts'
import type { ResolvedOptions } from '../contract/simulator-options.ts'
import { type ReplyIdentity, wholeBody } from './generation-replies.ts'
import type { GenerationPlan } from './plan-generation.ts'
import { createStreamWriter, type StreamWriter } from './stream-writer.ts'

/** How a run ended: `complete` and `aborted` were answered, `cut` was not, `lost` goes on hanging without the model. */
export type RunEnd = 'complete' | 'aborted' | 'cut' | 'lost'

interface RunCallOptions {
  readonly call: RecordedCall
  readonly sink: ReplySink
  readonly plan: GenerationPlan
  /** Tokens of the prompt that have to be read. */
  readonly readTokens: number
  readonly identity: ReplyIdentity
  readonly includeUsage: boolean
  readonly fault: KoboldFault | undefined
  readonly options: ResolvedOptions
  readonly timers: Timers
  onTokens(tokens: number): void
  /** The model is free again. Called once. */
  onEnd(end: RunEnd, text: string): void
}

/** One generation from its turn to its end: the model's work on one side, the answer on the other. */
export class CallRun {
  readonly #given: RunCallOptions
  /** Where the fault ends the answer before its end. */
  readonly #cut: MidFault | undefined
  readonly #stream: StreamWriter | undefined
  readonly #tokens: TokenRun
  #state: 'generating' | 'answering' | 'ended' = 'generating'

  constructor(given: RunCallOptions) {
    const { call, sink, plan, readTokens, fault, options, timers, identity, includeUsage } = given
    this.#given = given
    this.#cut = midFault(fault)
    if (call.stream) {
      const overheadMs = options.streamOverheadMs
      this.#stream = createStreamWriter({ sink, identity, includeUsage, overheadMs, timers })
    }
    this.#tokens = createTokenRun({
      text: limitedText(plan.text, this.#cut === undefined ? undefined : (this.#cut.afterTokens ?? 3)),
      tokensPerSecond: speedOf(given),
      promptMs: (readTokens * 1000) / options.promptTokensPerSecond,
      timers,
      onText: (piece, count) => this.#handOn(piece, count),
      onComplete: () => (this.#cut === undefined ? this.#answer(plan, 'complete') : this.#meet(this.#cut)),
    })
  }

  start(): void {
    const { call, fault } = this.#given
    const isHanging = this.#beginHanging()
    if (!isHanging) this.#stream?.open(contentTypeOf(fault, 'text/event-stream'))
    if (call.clientGoneAt !== undefined) this.callerGone()
    if (!isHanging) this.#tokens.start()
  }

  abort(): void {
    const { plan, fault } = this.#given
    if (this.#state !== 'generating' || ignoresAbort(fault)) return
    this.#tokens.stop()
    const text = this.textSoFar()
    const stopped = { completionTokens: countTokens(text), finishReason: 'length', stopReason: 0 }
    const { toolCalls: _never, ...rest } = plan
    if (fault?.fault === 'hang_before_headers') this.#stream?.open('text/event-stream')
    this.#answer({ ...rest, text, ...stopped }, 'aborted')
  }

  kill(): void {
    this.#end('cut')
  }

  /** The caller closed its connection. */
  callerGone(): void {
    const { fault, options, timers } = this.#given
    // 1.76 finds out when it writes.
    if (this.#stream === undefined || options.version === '1.76' || this.#state === 'ended') return
    timers.later(options.hangUpNoticeMs, () => {
      if (!ignoresAbort(fault)) this.#letGo()
    })
  }

  textSoFar(): string {
    return this.#tokens.textSoFar()
  }

  /** Whether a fault keeps it from ever answering. */
  #beginHanging(): boolean {
    const { fault } = this.#given
    if (fault?.fault === 'stream_head_then_nothing' || fault?.fault === 'null_reply') {
      this.#stream?.open('text/event-stream')
      this.#end('lost')
      return true
    }
    if (fault?.fault !== 'hang_before_headers') return false
    if (!hangsBusy(fault)) this.#end('lost')
    return true
  }

  #handOn(piece: string, count: number): void {
    const { call, options, onTokens } = this.#given
    onTokens(count)
    const isNoticed = call.clientGoneAt !== undefined && options.version === '1.76'
    if (isNoticed && this.#stream !== undefined) this.#letGo()
    else this.#stream?.text(piece)
  }

  #answer(answered: GenerationPlan, how: RunEnd): void {
    const { sink, fault, identity } = this.#given
    if (this.#state !== 'generating') return
    this.#state = 'answering'
    if (this.#stream !== undefined) return void this.#stream.finish(answered, () => this.#end(how))
    const reply = jsonReply(wholeBody(identity, answered))
    sink.reply({ ...reply, contentType: contentTypeOf(fault, reply.contentType) })
    this.#end(how)
  }

  #meet(met: MidFault): void {
    if (met.fault === 'hang_mid_stream') {
      this.#stream?.afterText(() => {})
      if (met.busy === false) this.#end('lost')
      return
    }
    const action = () => this.#cutOff(met.fault === 'reset_mid_chunk')
    if (this.#stream === undefined) action()
    else this.#stream.afterText(action)
  }

  #cutOff(reset: boolean): void {
    const { sink, identity, plan } = this.#given
    if (this.#stream === undefined) sink.replyHalf(jsonReply(wholeBody(identity, plan)))
    else if (reset) sink.write('data: {"id": "chatcmpl-A1", "obj')
    if (reset) sink.reset()
    else sink.end()
    this.#end('cut')
  }

  #letGo(): void {
    if (this.#state === 'ended') return
    this.#end('cut')
    this.#given.sink.end()
  }

  #end(how: RunEnd): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#tokens.stop()
    this.#given.onEnd(how, this.textSoFar())
  }
}

type MidFault = Extract<KoboldFault, { fault: 'hang_mid_stream' | 'reset_mid_chunk' | 'cut_stream' }>

function midFault(fault: KoboldFault | undefined): MidFault | undefined {
  if (fault === undefined) return undefined
  const { fault: name } = fault
  return name === 'hang_mid_stream' || name === 'reset_mid_chunk' || name === 'cut_stream' ? fault : undefined
}

const hangs = (fault: KoboldFault | undefined) =>
  fault?.fault === 'hang_before_headers' || fault?.fault === 'hang_mid_stream' ? fault : undefined

const hangsBusy = (fault: KoboldFault | undefined): boolean => {
  const hanging = hangs(fault)
  return hanging !== undefined && hanging.busy !== false
}

const ignoresAbort = (fault: KoboldFault | undefined): boolean => hangs(fault)?.ignoreAbort === true

function speedOf({ fault, options }: RunCallOptions): number {
  return fault?.fault === 'slow_drip' ? 1000 / fault.msPerToken : options.tokensPerSecond
}

function contentTypeOf(fault: KoboldFault | undefined, usual: string): string {
  return fault?.fault === 'wrong_content_type' ? (fault.contentType ?? 'text/html') : usual
}
