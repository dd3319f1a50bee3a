import { countTokensReply } from './count-tokens-reply.ts'
import {
  badInput,
  busy,
  contextLengthExceeded,
  notFound,
  unauthorized,
  unsupportedMethod,
} from './error-replies.ts'
import type { FaultBook } from './fault-book.ts'
import { faultAnswer } from './fault-replies.ts'
import { identityOf, jsonReply } from './generation-replies.ts'
import { createGenkeyDesk } from './genkey-desk.ts'
import { infoBody } from './info-replies.ts'
import { endpointOf, type KoboldEndpoint } from './kobold-endpoints.ts'
import type { KoboldFault } from './kobold-script.ts'
import { createModelQueue, type Job } from './model-queue.ts'
import { createPerfNumbers } from './perf-numbers.ts'
import { doesNotFit, emptyPlan, type GenerationPlan, planGeneration } from './plan-generation.ts'
import { pythonJson } from './python-json.ts'
import { type GenerationRequest, readGenerationRequest } from './read-generation-request.ts'
import type { RecordedAbort, RecordedCall, RecordedRequest } from './recorded-call.ts'
import type { ReplySink } from './reply-sink.ts'
import { type CallRun, createCallRun, type RunEnd } from './run-call.ts'
import type { ResolvedOptions } from './simulator-options.ts'
import { createTimers } from './token-run.ts'

/** A request as it came in, whatever carried it. */
export interface EngineRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The body's text; undefined if it is not UTF-8. */
  readonly bodyText: string | undefined
}

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

type Generation = Extract<KoboldEndpoint, { kind: 'generation' }>
type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false }

function parseBody(text: string | undefined): Body {
  if (text === undefined) return { ok: false }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

function field(body: Body, name: string): unknown {
  if (!body.ok || typeof body.value !== 'object' || body.value === null) return undefined
  return (body.value as Record<string, unknown>)[name]
}

function genkeyOf(body: Body): string {
  const genkey = field(body, 'genkey')
  return typeof genkey === 'string' ? genkey : ''
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
  const calls: RecordedCall[] = []
  const requests: RecordedRequest[] = []
  const aborts: RecordedAbort[] = []
  let model = options.model
  let callCount = 0
  let wastedTokens = 0
  let maxRunning = 0

  const authorized = ({ headers }: EngineRequest) =>
    options.password === undefined || headers.authorization === `Bearer ${options.password}`

  const settle = (call: RecordedCall, state: RecordedCall['state'], status?: number) => {
    call.state = state
    call.endedAt = performance.now()
    if (status !== undefined) call.status = status
    onChange()
  }

  const recordCall = (request: EngineRequest, { endpoint, nativeStream }: Generation, body: Body) => {
    const genkey = genkeyOf(body)
    callCount += 1
    const call: RecordedCall = {
      id: callCount,
      endpoint,
      stream: nativeStream || (endpoint !== 'native' && field(body, 'stream') === true),
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: body.ok ? body.value : undefined,
      genkey: genkey === '' ? undefined : genkey,
      startedAt: performance.now(),
      state: 'waiting',
      tokensGenerated: 0,
    }
    if (options.recordCalls) calls.push(call)
    return call
  }

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
    if (kind !== 'tokencount' && kind !== 'abort' && kind !== 'check') return false
    if (!authorized(request)) sink.reply(unauthorized())
    else if (kind === 'abort') abortReply(genkeyOf(body), sink)
    else if (kind === 'check') checkReply(genkeyOf(body), sink)
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

  const finishRun = (call: RecordedCall, plan: GenerationPlan, end: RunEnd, text: string) => {
    const seconds = (performance.now() - (call.runningAt ?? call.startedAt)) / 1000
    const processSeconds = Math.min(seconds, plan.promptTokens / options.promptTokensPerSecond)
    const stopReason = end === 'complete' ? plan.stopReason : 0
    const evalSeconds = seconds - processSeconds
    perf.finished({ plan, tokens: call.tokensGenerated, stopReason, processSeconds, evalSeconds })
    desk.finished(text)
    // A lost call goes on hanging: it ends when its caller leaves.
    if (end === 'lost') onChange()
    else if (end === 'cut') settle(call, 'dropped')
    else settle(call, end === 'aborted' ? 'aborted' : 'finished', 200)
  }

  interface Turn {
    readonly call: RecordedCall
    readonly request: GenerationRequest
    readonly fault: KoboldFault | undefined
    readonly sink: ReplySink
    leave(): void
  }

  const planFor = ({ call, request, fault }: Turn) => {
    if (model === null || fault?.fault === 'no_model') return emptyPlan(options, 'error')
    const keep = fault?.fault === 'prompt_cut' ? { keepTokens: fault.keepTokens } : {}
    return planGeneration({ request, body: call.body, ...keep }, options)
  }

  const beginRun = (turn: Turn): CallRun | undefined => {
    const { call, sink, fault } = turn
    const skipped = desk.abortedWhileWaiting(call.genkey ?? '')
    const plan = skipped ? emptyPlan(options, 'length') : planFor(turn)
    if (plan === doesNotFit) {
      const reply = contextLengthExceeded(options.contextLength)
      sink.reply(reply)
      settle(call, 'finished', reply.status)
      turn.leave()
      return undefined
    }
    const none = model === null || fault?.fault === 'no_model'
    return createCallRun({
      call,
      sink,
      plan,
      fault,
      options,
      timers,
      identity: identityOf(call.endpoint, version, none ? 'inactive' : (model ?? 'inactive')),
      includeUsage: turn.request.includeUsage,
      onTokens(tokens) {
        call.tokensGenerated += tokens
        if (call.clientGoneAt !== undefined) wastedTokens += tokens
        onChange()
      },
      onEnd(end, text) {
        finishRun(call, plan, skipped ? 'aborted' : end, text)
        turn.leave()
      },
    })
  }

  const failedBeforeRun = (
    { call, sink, leave }: { call: RecordedCall; sink: ReplySink; leave: () => void },
    kind: 'crash' | 'null',
  ) => {
    if (kind === 'crash') sink.end()
    else if (call.stream) sink.startStream('text/event-stream')
    else sink.reply(jsonReply('null'))
    if (kind === 'crash') settle(call, 'dropped')
    else if (!call.stream) settle(call, 'finished', 200)
    leave()
  }

  const refuse = (call: RecordedCall, sink: ReplySink, reply: ReturnType<typeof busy>) => {
    sink.reply(reply)
    settle(call, 'finished', reply.status)
  }

  const generate = (
    request: EngineRequest,
    body: Body,
    context: { call: RecordedCall; fault: KoboldFault | undefined; sink: ReplySink },
  ) => {
    const { call, fault, sink } = context
    let run: CallRun | undefined
    const leave = () => queue.leave(job)
    const job: Job = {
      genkey: call.genkey ?? '',
      call,
      start() {
        call.state = 'running'
        call.runningAt = performance.now()
        maxRunning = Math.max(maxRunning, queue.running.size)
        onChange()
        const turnedAway = !authorized(request) ? unauthorized() : body.ok ? undefined : badInput()
        if (turnedAway !== undefined) {
          refuse(call, sink, turnedAway)
          return leave()
        }
        const read = readGenerationRequest(call.body, call.endpoint, version)
        if (read.kind !== 'request') return failedBeforeRun({ call, sink, leave }, read.kind)
        desk.begin(job.genkey, job)
        run = beginRun({ call, request: read.request, fault, sink, leave })
        run?.start()
      },
      abort: () => run?.abort(),
      kill() {
        run?.kill()
        if (call.endedAt === undefined) settle(call, 'dropped')
      },
      textSoFar: () => run?.textSoFar() ?? '',
    }
    sink.onGone(() => {
      if (call.endedAt !== undefined) return
      call.clientGoneAt = performance.now()
      // A call that hangs without the model has no one else to end it.
      if (call.state === 'running' && !queue.running.has(job)) {
        settle(call, 'dropped')
        sink.end()
      }
      run?.callerGone()
      onChange()
    })
    if (!queue.enter(job)) refuse(call, sink, busy())
    else onChange()
  }

  const answerByFault = (call: RecordedCall, fault: KoboldFault, sink: ReplySink): boolean => {
    call.fault = fault.fault
    if (fault.fault === 'empty_reply' || fault.fault === 'reset') {
      if (fault.fault === 'reset') sink.reset()
      else sink.end()
      settle(call, 'dropped')
      return true
    }
    const identity = identityOf(call.endpoint, version, model ?? 'inactive')
    const answer = faultAnswer(fault, { identity, stream: call.stream, contextLength: options.contextLength })
    if (answer === undefined) return false
    if (answer.kind === 'whole') {
      refuse(call, sink, answer.reply)
      return true
    }
    sink.startStream('text/event-stream')
    for (const event of answer.events) sink.write(event)
    sink.end()
    settle(call, 'finished', 200)
    return true
  }

  const handleGeneration = (request: EngineRequest, endpoint: Generation, body: Body, sink: ReplySink) => {
    const call = recordCall(request, endpoint, body)
    const fault = faults.take(call.endpoint)
    if (fault !== undefined && answerByFault(call, fault, sink)) return
    generate(request, body, { call, fault, sink })
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
    if (endpoint.kind === 'generation') return handleGeneration(request, endpoint, body, sink)
    if (probeFault(endpoint.kind, sink)) return
    if (answerAtOnce(endpoint.kind, request, body, sink)) return
    takeTurn(sink, () => sink.reply(notFound('POST', request.path, version)))
  }

  const perfReply = () => {
    const batched = options.concurrency > 1 && !options.abortWhenParallel
    const queued = batched ? 0 : queue.waiting.length
    return pythonJson(perf.body({ idle: queue.idle(), queue: queued, noModel: model === null }))
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
    calls,
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
      return wastedTokens
    },
    get maxRunning() {
      return maxRunning
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
