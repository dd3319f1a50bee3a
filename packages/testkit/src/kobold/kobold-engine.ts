import { createPromptMemory, type PromptMemory } from '../wire/prompt-memory.ts'
import { pythonJson } from '../wire/python-json.ts'
import { jsonReply, type ReplySink } from '../wire/reply-sink.ts'
import { createTimers, type Timers } from '../wire/simulated-tokens.ts'
import {
  type Body,
  type CallLog,
  createCallLog,
  type EngineRequest,
  genkeyOf,
  isAuthorized,
  parseBody,
} from './contract/call-log.ts'
import { busy, notFound, unauthorized, unsupportedMethod } from './contract/error-replies.ts'
import { endpointOf, type KoboldEndpoint } from './contract/kobold-endpoints.ts'
import type { RecordedAbort, RecordedCall, RecordedRequest } from './contract/recorded-call.ts'
import type { ResolvedOptions } from './contract/simulator-options.ts'
import type { FaultBook } from './fault-book.ts'
import { faultAnswer } from './fault-replies.ts'
import { identityOf } from './generation/generation-replies.ts'
import { createGenkeyDesk, type GenkeyDesk } from './generation/genkey-desk.ts'
import { createModelQueue, type Job, type ModelQueue } from './generation/model-queue.ts'
import { createPerfNumbers, type PerfNumbers } from './generation/perf-numbers.ts'
import { grammarReply } from './generation/schema-grammar.ts'
import { GenerationDesk } from './generation-desk.ts'
import { countTokensReply, infoBody } from './info-replies.ts'

/** Faults on endpoints that do not generate that are met with silence. */
const SILENT = new Set(['hang_before_headers', 'hang_mid_stream', 'stream_head_then_nothing'])

/** The simulated server without its socket: what it answers, when, and what it saw. */
export class KoboldEngine {
  readonly requests: RecordedRequest[] = []
  readonly aborts: RecordedAbort[] = []
  /** The name of the loaded model; null: none. */
  model: string | null
  readonly #options: ResolvedOptions
  readonly #faults: FaultBook
  readonly #onChange: () => void
  readonly #timers: Timers = createTimers()
  readonly #perf: PerfNumbers
  readonly #memory: PromptMemory
  readonly #queue: ModelQueue
  readonly #genkeys: GenkeyDesk
  readonly #log: CallLog
  readonly #generations: GenerationDesk

  /** `onChange` is called whenever something that a test may wait for has happened. */
  constructor(options: ResolvedOptions, faults: FaultBook, onChange: () => void) {
    this.model = options.model
    this.#options = options
    this.#faults = faults
    this.#onChange = onChange
    this.#perf = createPerfNumbers(options.version)
    this.#memory = createPromptMemory(options.concurrency + options.smartcache)
    this.#queue = createModelQueue({ ...options, timers: this.#timers, onChange })
    this.#genkeys = createGenkeyDesk(this.#queue, options)
    this.#log = createCallLog(options, onChange)
    this.#generations = new GenerationDesk({
      options,
      faults,
      timers: this.#timers,
      queue: this.#queue,
      genkeys: this.#genkeys,
      perf: this.#perf,
      memory: this.#memory,
      log: this.#log,
      model: () => this.model,
      onChange,
    })
  }

  get calls(): readonly RecordedCall[] {
    return this.#log.calls
  }

  get wastedTokens(): number {
    return this.#generations.wastedTokens
  }

  get maxRunning(): number {
    return this.#generations.maxRunning
  }

  get generating(): boolean {
    return !this.#queue.idle()
  }

  get waiting(): number {
    return this.#queue.waiting.length
  }

  handle(request: EngineRequest, sink: ReplySink): void {
    const { method, path } = request
    const { recordCalls, version } = this.#options
    if (recordCalls) this.requests.push({ method, path, at: performance.now() })
    if (method === 'HEAD' || method === 'OPTIONS') {
      return void sink.reply({ status: 200, contentType: 'text/html', body: '', length: false })
    }
    if (method !== 'GET' && method !== 'POST') return void sink.reply(unsupportedMethod(method))
    const endpoint = endpointOf(method, path, version)
    if (method === 'POST') this.#handlePost(request, endpoint, sink)
    else this.#handleGet(request, endpoint, sink)
  }

  /** Drops every call and timer: the process is gone. */
  die(): void {
    for (const job of this.#queue.clear()) job.kill()
    this.#timers.clear()
    this.#memory.clear()
    this.#perf.restart()
    this.#onChange()
  }

  #handlePost(request: EngineRequest, endpoint: KoboldEndpoint, sink: ReplySink): void {
    const body = parseBody(request.bodyText)
    if (endpoint.kind === 'generation') return void this.#generations.handle(request, endpoint, body, sink)
    if (this.#probeFault(endpoint.kind, sink)) return
    if (this.#answerAtOnce(endpoint.kind, request, { body, sink })) return
    this.#takeTurn(sink, () => sink.reply(notFound('POST', request.path, this.#options.version)))
  }

  #handleGet(request: EngineRequest, { kind }: KoboldEndpoint, sink: ReplySink): void {
    if (this.#probeFault(kind, sink)) return
    if (kind === 'perf') return void sink.reply(jsonReply(this.#perfBody()))
    const authorized = isAuthorized(request, this.#options)
    if (kind === 'check') return void (authorized ? this.#replyToCheck('', sink) : sink.reply(unauthorized()))
    const body = infoBody(kind, { ...this.#options, model: this.model }, authorized)
    sink.reply(body === undefined ? notFound('GET', request.path, this.#options.version) : jsonReply(body))
  }

  /** A fault on a probe; false if it has none that fits. */
  #probeFault(kind: string, sink: ReplySink): boolean {
    const fault = this.#faults.take(kind)
    if (fault === undefined) return false
    if (SILENT.has(fault.fault)) return true
    if (fault.fault === 'empty_reply') sink.end()
    else if (fault.fault === 'reset') sink.reset()
    else {
      const { version, contextLength } = this.#options
      const identity = identityOf('native', version, this.model ?? 'inactive')
      const answer = faultAnswer(fault, { identity, stream: false, contextLength })
      if (answer?.kind !== 'whole') return false
      sink.reply(answer.reply)
    }
    return true
  }

  /** What is answered without a turn; false for everything else. */
  #answerAtOnce(
    kind: KoboldEndpoint['kind'],
    request: EngineRequest,
    { body, sink }: { readonly body: Body; readonly sink: ReplySink },
  ): boolean {
    if (kind !== 'tokencount' && kind !== 'grammar' && kind !== 'abort' && kind !== 'check') return false
    const value = body.ok ? body.value : undefined
    if (!isAuthorized(request, this.#options)) sink.reply(unauthorized())
    else if (kind === 'abort') this.#replyToAbort(genkeyOf(body), sink)
    else if (kind === 'check') this.#replyToCheck(genkeyOf(body), sink)
    else if (kind === 'grammar') sink.reply(grammarReply(value))
    else sink.reply(countTokensReply(value, { ...this.#options, model: this.model }))
    return true
  }

  #replyToAbort(genkey: string, sink: ReplySink): void {
    const { recordCalls, abortReplyMs } = this.#options
    const { result, slow } = this.#genkeys.abort(genkey)
    if (recordCalls) this.aborts.push({ genkey, at: performance.now(), result })
    this.#onChange()
    const send = () => sink.reply(jsonReply(pythonJson(result)))
    if (slow && abortReplyMs > 0) this.#timers.later(abortReplyMs, send)
    else send()
  }

  #replyToCheck(genkey: string, sink: ReplySink): void {
    sink.reply(jsonReply(pythonJson({ results: [{ text: this.#genkeys.check(genkey) }] })))
  }

  /** The 404, 401 and 500 that even the real server gives only in turn. */
  #takeTurn(sink: ReplySink, answer: () => void): void {
    const job: Job = {
      genkey: '',
      call: undefined,
      start: () => {
        answer()
        this.#queue.leave(job)
      },
      abort() {},
      kill() {},
      textSoFar: () => '',
    }
    if (!this.#queue.enter(job)) sink.reply(busy())
  }

  #perfBody(): string {
    const numbers = { idle: this.#queue.idle(), queue: this.#queue.waiting.length }
    return pythonJson(this.#perf.body({ ...numbers, noModel: this.model === null }))
  }
}
