import { pythonJson } from '../wire/python-json.ts'
import type { ReplySink } from '../wire/reply-sink.ts'
import { jsonReply } from '../wire/reply-sink.ts'
import { createTimers } from '../wire/simulated-tokens.ts'
import {
  type Body,
  createCallLog,
  type EngineRequest,
  genkeyOf,
  isAuthorized,
  parseBody,
} from './call-log.ts'
import { busy, notFound, unauthorized, unsupportedMethod } from './error-replies.ts'
import type { FaultBook } from './fault-book.ts'
import { faultAnswer } from './fault-replies.ts'
import { createGenerationDesk } from './generation-desk.ts'
import { identityOf } from './generation-replies.ts'
import { createGenkeyDesk } from './genkey-desk.ts'
import { countTokensReply, infoBody } from './info-replies.ts'
import { endpointOf, type KoboldEndpoint } from './kobold-endpoints.ts'
import { createModelQueue, type Job } from './model-queue.ts'
import { createPerfNumbers } from './perf-numbers.ts'
import type { RecordedAbort, RecordedCall, RecordedRequest } from './recorded-call.ts'
import { grammarReply } from './schema-grammar.ts'
import type { ResolvedOptions } from './simulator-options.ts'

/** The simulated server without its socket: what it answers, when, and what it saw. */
export interface KoboldEngine {
  handle(request: EngineRequest, sink: ReplySink): void
  readonly calls: readonly RecordedCall[]
  readonly requests: readonly RecordedRequest[]
  readonly aborts: readonly RecordedAbort[]
  readonly wastedTokens: number
  readonly maxRunning: number
  readonly generating: boolean
  readonly waiting: number
  model: string | null
  /** Drops every call and timer: the process is gone. */
  die(): void
}

/** Faults on endpoints that do not generate: the whole answers, and silence. */
const silent = new Set(['hang_before_headers', 'hang_mid_stream', 'stream_head_then_nothing'])

/**
 * The simulated server. `onChange` is called whenever something that a test may wait for has happened.
 */
export function createKoboldEngine(
  options: ResolvedOptions,
  faults: FaultBook,
  onChange: () => void,
): KoboldEngine {
  const { version } = options
  const timers = createTimers()
  const perf = createPerfNumbers(version)
  const queue = createModelQueue({ ...options, timers, onChange })
  const desk = createGenkeyDesk(queue, options)
  const requests: RecordedRequest[] = []
  const aborts: RecordedAbort[] = []
  let model = options.model
  const log = createCallLog(options, onChange)
  const generations = createGenerationDesk({
    options,
    faults,
    timers,
    queue,
    genkeys: desk,
    perf,
    log,
    model: () => model,
    onChange,
  })

  const authorized = (request: EngineRequest) => isAuthorized(request, options)

  const abortReply = (genkey: string, sink: ReplySink) => {
    const { result, slow } = desk.abort(genkey)
    if (options.recordCalls) aborts.push({ genkey, at: performance.now(), result })
    onChange()
    const send = () => sink.reply(jsonReply(pythonJson(result)))
    if (slow && options.abortReplyMs > 0) timers.later(options.abortReplyMs, send)
    else send()
  }

  const checkReply = (genkey: string, sink: ReplySink) =>
    sink.reply(jsonReply(pythonJson({ results: [{ text: desk.check(genkey) }] })))

  /** What is answered at once, without a turn; false for everything else. */
  const answerAtOnce = (
    kind: KoboldEndpoint['kind'],
    request: EngineRequest,
    body: Body,
    sink: ReplySink,
  ) => {
    if (kind !== 'tokencount' && kind !== 'grammar' && kind !== 'abort' && kind !== 'check') return false
    if (!authorized(request)) sink.reply(unauthorized())
    else if (kind === 'abort') abortReply(genkeyOf(body), sink)
    else if (kind === 'check') checkReply(genkeyOf(body), sink)
    else if (kind === 'grammar') sink.reply(grammarReply(body.ok ? body.value : undefined))
    else sink.reply(countTokensReply(body.ok ? body.value : undefined, { ...options, model }))
    return true
  }

  /** The 404, 401 and 500 that even the real server gives only in turn. */
  const takeTurn = (sink: ReplySink, answer: () => void) => {
    const job: Job = {
      genkey: '',
      call: undefined,
      start() {
        answer()
        queue.leave(job)
      },
      abort() {},
      kill() {},
      textSoFar: () => '',
    }
    if (!queue.enter(job)) sink.reply(busy())
  }

  /** A fault on a probe; false if it has none that fits. */
  const probeFault = (kind: string, sink: ReplySink): boolean => {
    const fault = faults.take(kind)
    if (fault === undefined) return false
    if (silent.has(fault.fault)) return true
    if (fault.fault === 'empty_reply') sink.end()
    else if (fault.fault === 'reset') sink.reset()
    else {
      const identity = identityOf('native', version, model ?? 'inactive')
      const answer = faultAnswer(fault, { identity, stream: false, contextLength: options.contextLength })
      if (answer?.kind !== 'whole') return false
      sink.reply(answer.reply)
    }
    return true
  }

  const handlePost = (request: EngineRequest, endpoint: KoboldEndpoint, sink: ReplySink) => {
    const body = parseBody(request.bodyText)
    if (endpoint.kind === 'generation') return generations.handle(request, endpoint, body, sink)
    if (probeFault(endpoint.kind, sink)) return
    if (answerAtOnce(endpoint.kind, request, body, sink)) return
    takeTurn(sink, () => sink.reply(notFound('POST', request.path, version)))
  }

  const perfReply = () => {
    return pythonJson(perf.body({ idle: queue.idle(), queue: queue.waiting.length, noModel: model === null }))
  }

  const handleGet = (request: EngineRequest, { kind }: KoboldEndpoint, sink: ReplySink) => {
    if (probeFault(kind, sink)) return
    if (kind === 'perf') return sink.reply(jsonReply(perfReply()))
    if (kind === 'check') {
      if (authorized(request)) checkReply('', sink)
      else sink.reply(unauthorized())
      return
    }
    const body = infoBody(kind, { ...options, model }, authorized(request))
    if (body === undefined) sink.reply(notFound('GET', request.path, version))
    else sink.reply(jsonReply(body))
  }

  return {
    calls: log.calls,
    requests,
    aborts,
    handle(request, sink) {
      const { method, path } = request
      if (options.recordCalls) requests.push({ method, path, at: performance.now() })
      if (method === 'HEAD' || method === 'OPTIONS') {
        return sink.reply({ status: 200, contentType: 'text/html', body: '', length: false })
      }
      if (method !== 'GET' && method !== 'POST') return sink.reply(unsupportedMethod(method))
      const endpoint = endpointOf(method, path, version)
      if (method === 'POST') handlePost(request, endpoint, sink)
      else handleGet(request, endpoint, sink)
    },
    get wastedTokens() {
      return generations.wastedTokens
    },
    get maxRunning() {
      return generations.maxRunning
    },
    get generating() {
      return !queue.idle()
    },
    get waiting() {
      return queue.waiting.length
    },
    get model() {
      return model
    },
    set model(name) {
      model = name
    },
    die() {
      for (const job of queue.clear()) job.kill()
      timers.clear()
      onChange()
    },
  }
}
