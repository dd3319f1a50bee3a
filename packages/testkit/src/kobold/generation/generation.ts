import type { PromptMemory, PromptReading } from '../../wire/prompt-memory.ts'
import { jsonReply, type ReplySink, type WholeReply } from '../../wire/reply-sink.ts'
import type { Timers } from '../../wire/simulated-tokens.ts'
import type { CallLog } from '../contract/call-log.ts'
import { contextLengthExceeded } from '../contract/error-replies.ts'
import type { KoboldFault } from '../contract/kobold-script.ts'
import type { RecordedCall } from '../contract/recorded-call.ts'
import type { ResolvedOptions } from '../contract/simulator-options.ts'
import { identityOf } from './generation-replies.ts'
import type { GenkeyDesk } from './genkey-desk.ts'
import type { Job, ModelQueue } from './model-queue.ts'
import type { PerfNumbers } from './perf-numbers.ts'
import { doesNotFit, emptyPlan, type GenerationPlan, planGeneration } from './plan-generation.ts'
import { type GenerationRequest, readGenerationRequest } from './read-generation-request.ts'
import { CallRun, type RunEnd } from './run-call.ts'

/** What a generation needs of the server. */
export interface GenerationParts {
  readonly options: ResolvedOptions
  readonly timers: Timers
  readonly queue: ModelQueue
  readonly genkeys: GenkeyDesk
  readonly perf: PerfNumbers
  readonly memory: PromptMemory
  readonly log: CallLog
  /** The name of the loaded model; null: none. */
  model(): string | null
  onStart(): void
  /** Tokens were generated after the caller had gone. */
  onWaste(tokens: number): void
  onChange(): void
}

interface AskedGeneration {
  readonly call: RecordedCall
  readonly fault: KoboldFault | undefined
  readonly sink: ReplySink
  /** What the call gets instead of a generation when its turn comes, as on the real server. */
  readonly refusal: WholeReply | undefined
}

/** One call for a generation, from its place in the queue to its end: checks, plan, run. */
export class Generation implements Job {
  readonly call: RecordedCall
  readonly genkey: string
  readonly #parts: GenerationParts
  readonly #asked: AskedGeneration
  #run: CallRun | undefined

  constructor(parts: GenerationParts, asked: AskedGeneration) {
    this.call = asked.call
    this.genkey = asked.call.genkey ?? ''
    this.#parts = parts
    this.#asked = asked
  }

  /** The model is free for it. */
  start(): void {
    const { call } = this
    const { options, genkeys, onStart } = this.#parts
    const { refusal } = this.#asked
    call.state = 'running'
    call.runningAt = performance.now()
    onStart()
    if (refusal !== undefined) return void this.#refuseInTurn(refusal)
    const read = readGenerationRequest(call.body, call.endpoint, options.version)
    if (read.kind !== 'request') return void this.#failBeforeRun(read.kind)
    genkeys.begin(this.genkey, this)
    this.#begin(read.request)
  }

  abort(): void {
    this.#run?.abort()
  }

  kill(): void {
    this.#run?.kill()
    if (this.call.endedAt === undefined) this.#parts.log.settle(this.call, 'dropped')
  }

  textSoFar(): string {
    return this.#run?.textSoFar() ?? ''
  }

  /** The caller closed its connection. */
  callerGone(): void {
    const { call } = this
    const { queue, log, onChange } = this.#parts
    if (call.endedAt !== undefined) return
    call.clientGoneAt = performance.now()
    // A call that hangs without the model has no one else to end it.
    if (call.state === 'running' && !queue.running.has(this)) {
      log.settle(call, 'dropped')
      this.#asked.sink.end()
    }
    this.#run?.callerGone()
    onChange()
  }

  refuse(reply: WholeReply): void {
    this.#asked.sink.reply(reply)
    this.#parts.log.settle(this.call, 'finished', reply.status)
  }

  #refuseInTurn(reply: WholeReply): void {
    this.refuse(reply)
    this.#parts.queue.leave(this)
  }

  /** What the real server does to a body that it cannot read. */
  #failBeforeRun(kind: 'crash' | 'null'): void {
    const { call } = this
    const { log, queue } = this.#parts
    const { sink } = this.#asked
    if (kind === 'crash') {
      sink.end()
      log.settle(call, 'dropped')
    } else if (call.stream) {
      sink.startStream('text/event-stream')
    } else {
      sink.reply(jsonReply('null'))
      log.settle(call, 'finished', 200)
    }
    queue.leave(this)
  }

  #begin(request: GenerationRequest): void {
    const { call } = this
    const { options, timers, genkeys, memory } = this.#parts
    const { sink, fault } = this.#asked
    const model = this.#hasNoModel() ? 'inactive' : (this.#parts.model() ?? 'inactive')
    const isSkipped = genkeys.abortedWhileWaiting(this.genkey)
    const plan = isSkipped ? emptyPlan(options, 'length') : this.#planFor(request)
    if (plan === doesNotFit) return void this.#refuseInTurn(contextLengthExceeded(options.contextLength))
    const reading = memory.read(plan.prompt)
    const readTokens = plan.promptTokens - reading.warmTokens
    call.promptTokensRead = readTokens
    this.#run = new CallRun({
      call,
      sink,
      plan,
      readTokens,
      fault,
      options,
      timers,
      identity: identityOf(call.endpoint, options.version, model),
      includeUsage: request.includeUsage,
      onTokens: (tokens) => this.#count(tokens),
      onEnd: (end, text) => this.#finish({ plan, reading, readTokens }, isSkipped ? 'aborted' : end, text),
    })
    this.#run.start()
  }

  #hasNoModel(): boolean {
    return this.#parts.model() === null || this.#asked.fault?.fault === 'no_model'
  }

  #planFor(request: GenerationRequest): GenerationPlan | typeof doesNotFit {
    const { options } = this.#parts
    const { fault } = this.#asked
    if (this.#hasNoModel()) return emptyPlan(options, 'error')
    const keep = fault?.fault === 'prompt_cut' ? { keepTokens: fault.keepTokens } : {}
    return planGeneration({ request, body: this.call.body, ...keep }, options)
  }

  #count(tokens: number): void {
    this.call.tokensGenerated += tokens
    if (this.call.clientGoneAt !== undefined) this.#parts.onWaste(tokens)
    this.#parts.onChange()
  }

  #finish({ plan, reading, readTokens }: Work, end: RunEnd, text: string): void {
    const { call } = this
    const { options, perf, genkeys, log, queue, onChange } = this.#parts
    const seconds = (performance.now() - (call.runningAt ?? call.startedAt)) / 1000
    const readWhole = call.tokensGenerated > 0 || end === 'complete'
    const readSeconds = readWhole ? readTokens / options.promptTokensPerSecond : seconds
    const stopReason = end === 'complete' ? plan.stopReason : 0
    const evalSeconds = Math.max(0, seconds - readSeconds)
    const newlyRead = Math.floor(seconds * options.promptTokensPerSecond)
    reading.end({ tokens: readWhole ? plan.promptTokens : reading.warmTokens + newlyRead, written: text })
    perf.finished({ plan, tokens: call.tokensGenerated, stopReason, readTokens, readSeconds, evalSeconds })
    genkeys.finished(text)
    // A lost call goes on hanging: it ends when its caller leaves.
    if (end === 'lost') onChange()
    else if (end === 'cut') log.settle(call, 'dropped')
    else log.settle(call, end === 'aborted' ? 'aborted' : 'finished', 200)
    queue.leave(this)
  }
}

/** What there is to do, and what of it the memory spares. */
interface Work {
  readonly plan: GenerationPlan
  readonly reading: PromptReading
  readonly readTokens: number
}
