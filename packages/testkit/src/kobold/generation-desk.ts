import type { ReplySink } from '../wire/reply-sink.ts'
import { jsonReply } from '../wire/reply-sink.ts'
import type { Timers } from '../wire/simulated-tokens.ts'
import type { CallLog, GenerationKind } from './call-log.ts'
import { type Body, type EngineRequest, isAuthorized } from './call-log.ts'
import { badInput, busy, contextLengthExceeded, unauthorized } from './error-replies.ts'
import type { FaultBook } from './fault-book.ts'
import { faultAnswer } from './fault-replies.ts'
import { identityOf } from './generation-replies.ts'
import type { GenkeyDesk } from './genkey-desk.ts'
import type { KoboldFault } from './kobold-script.ts'
import type { Job, ModelQueue } from './model-queue.ts'
import type { PerfNumbers } from './perf-numbers.ts'
import { doesNotFit, emptyPlan, type GenerationPlan, planGeneration } from './plan-generation.ts'
import { type GenerationRequest, readGenerationRequest } from './read-generation-request.ts'
import type { RecordedCall } from './recorded-call.ts'
import { type CallRun, createCallRun, type RunEnd } from './run-call.ts'
import type { ResolvedOptions } from './simulator-options.ts'

/** Takes calls for a generation from their arrival to their end: fault, queue, checks, run. */
export interface GenerationDesk {
  handle(request: EngineRequest, kind: GenerationKind, body: Body, sink: ReplySink): void
  readonly wastedTokens: number
  readonly maxRunning: number
}

export interface GenerationDeskOptions {
  readonly options: ResolvedOptions
  readonly faults: FaultBook
  readonly timers: Timers
  readonly queue: ModelQueue
  readonly genkeys: GenkeyDesk
  readonly perf: PerfNumbers
  readonly log: CallLog
  /** The name of the loaded model; null: none. */
  model(): string | null
  onChange(): void
}

interface Turn {
  readonly call: RecordedCall
  readonly request: GenerationRequest
  readonly fault: KoboldFault | undefined
  readonly sink: ReplySink
  leave(): void
}

export function createGenerationDesk(parts: GenerationDeskOptions): GenerationDesk {
  const { options, faults, timers, queue, genkeys: desk, perf, log, model, onChange } = parts
  const { version } = options
  let wastedTokens = 0
  let maxRunning = 0

  const finishRun = (call: RecordedCall, plan: GenerationPlan, end: RunEnd, text: string) => {
    const seconds = (performance.now() - (call.runningAt ?? call.startedAt)) / 1000
    const processSeconds = Math.min(seconds, plan.promptTokens / options.promptTokensPerSecond)
    const stopReason = end === 'complete' ? plan.stopReason : 0
    const evalSeconds = seconds - processSeconds
    perf.finished({ plan, tokens: call.tokensGenerated, stopReason, processSeconds, evalSeconds })
    desk.finished(text)
    // A lost call goes on hanging: it ends when its caller leaves.
    if (end === 'lost') onChange()
    else if (end === 'cut') log.settle(call, 'dropped')
    else log.settle(call, end === 'aborted' ? 'aborted' : 'finished', 200)
  }

  const planFor = ({ call, request, fault }: Turn) => {
    if (model() === null || fault?.fault === 'no_model') return emptyPlan(options, 'error')
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
      log.settle(call, 'finished', reply.status)
      turn.leave()
      return undefined
    }
    const none = model() === null || fault?.fault === 'no_model'
    return createCallRun({
      call,
      sink,
      plan,
      fault,
      options,
      timers,
      identity: identityOf(call.endpoint, version, none ? 'inactive' : (model() ?? 'inactive')),
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
    if (kind === 'crash') log.settle(call, 'dropped')
    else if (!call.stream) log.settle(call, 'finished', 200)
    leave()
  }

  const refuse = (call: RecordedCall, sink: ReplySink, reply: ReturnType<typeof busy>) => {
    sink.reply(reply)
    log.settle(call, 'finished', reply.status)
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
        const turnedAway = !isAuthorized(request, options) ? unauthorized() : body.ok ? undefined : badInput()
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
        if (call.endedAt === undefined) log.settle(call, 'dropped')
      },
      textSoFar: () => run?.textSoFar() ?? '',
    }
    sink.onGone(() => {
      if (call.endedAt !== undefined) return
      call.clientGoneAt = performance.now()
      // A call that hangs without the model has no one else to end it.
      if (call.state === 'running' && !queue.running.has(job)) {
        log.settle(call, 'dropped')
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
      log.settle(call, 'dropped')
      return true
    }
    const identity = identityOf(call.endpoint, version, model() ?? 'inactive')
    const answer = faultAnswer(fault, { identity, stream: call.stream, contextLength: options.contextLength })
    if (answer === undefined) return false
    if (answer.kind === 'whole') {
      refuse(call, sink, answer.reply)
      return true
    }
    sink.startStream('text/event-stream')
    for (const event of answer.events) sink.write(event)
    sink.end()
    log.settle(call, 'finished', 200)
    return true
  }

  return {
    handle(request, kind, body, sink) {
      const call = log.record(request, kind, body)
      const fault = faults.take(call.endpoint)
      if (fault !== undefined && answerByFault(call, fault, sink)) return
      generate(request, body, { call, fault, sink })
    },
    get wastedTokens() {
      return wastedTokens
    },
    get maxRunning() {
      return maxRunning
    },
  }
}
