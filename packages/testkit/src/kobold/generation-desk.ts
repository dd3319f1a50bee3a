import type { ReplySink } from '../wire/reply-sink.ts'
import { type Body, type EngineRequest, type GenerationKind, isAuthorized } from './contract/call-log.ts'
import { badInput, busy, unauthorized } from './contract/error-replies.ts'
import type { KoboldFault } from './contract/kobold-script.ts'
import type { RecordedCall } from './contract/recorded-call.ts'
import type { FaultBook } from './fault-book.ts'
import { faultAnswer } from './fault-replies.ts'
import { Generation, type GenerationParts } from './generation/generation.ts'
import { identityOf } from './generation/generation-replies.ts'

interface GenerationDeskOptions extends Omit<GenerationParts, 'onStart' | 'onWaste'> {
  readonly faults: FaultBook
}

/** Takes calls for a generation: answers by fault, or puts them into the queue. Counts what all of them did. */
export class GenerationDesk {
  readonly #parts: GenerationParts
  readonly #faults: FaultBook
  #wastedTokens = 0
  #maxRunning = 0

  constructor({ faults, ...parts }: GenerationDeskOptions) {
    this.#faults = faults
    this.#parts = {
      ...parts,
      onStart: () => {
        this.#maxRunning = Math.max(this.#maxRunning, parts.queue.running.size)
        parts.onChange()
      },
      onWaste: (tokens) => {
        this.#wastedTokens += tokens
      },
    }
  }

  get wastedTokens(): number {
    return this.#wastedTokens
  }

  get maxRunning(): number {
    return this.#maxRunning
  }

  handle(request: EngineRequest, kind: GenerationKind, body: Body, sink: ReplySink): void {
    const { options, queue, log, onChange } = this.#parts
    const call = log.record(request, kind, body)
    const fault = this.#faults.take(call.endpoint)
    if (fault !== undefined && this.#answerByFault(call, fault, sink)) return
    const readable = body.ok ? undefined : badInput()
    const refusal = isAuthorized(request, options) ? readable : unauthorized()
    const generation = new Generation(this.#parts, { call, fault, sink, refusal })
    sink.onGone(() => generation.callerGone())
    if (queue.enter(generation)) onChange()
    else generation.refuse(busy())
  }

  #answerByFault(call: RecordedCall, fault: KoboldFault, sink: ReplySink): boolean {
    const { options, log, model } = this.#parts
    call.fault = fault.fault
    if (fault.fault === 'empty_reply' || fault.fault === 'reset') {
      if (fault.fault === 'reset') sink.reset()
      else sink.end()
      log.settle(call, 'dropped')
      return true
    }
    const identity = identityOf(call.endpoint, options.version, model() ?? 'inactive')
    const answer = faultAnswer(fault, { identity, stream: call.stream, contextLength: options.contextLength })
    if (answer === undefined) return false
    if (answer.kind === 'whole') sink.reply(answer.reply)
    else {
      sink.startStream('text/event-stream')
      for (const event of answer.events) sink.write(event)
      sink.end()
    }
    log.settle(call, 'finished', answer.kind === 'whole' ? answer.reply.status : 200)
    return true
  }
}
