import type { AnswerSchema, Problem } from '../answer-schema/answer-schema.ts'
import type { BackendError, BackendErrorKind } from '../contract/backend.ts'
import { ABORTED, untilAborted } from '../contract/clock.ts'
import type { Delta, EventOptions } from '../contract/dispatcher.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import { type LineLevel, type LogFields, type Logger, silentLogger } from '../contract/logger.ts'
import type { EventWarning, SchemaError } from '../contract/outcome.ts'
import type { ContextPolicy, Prompt } from '../contract/prompt.ts'
import type { EventTrace } from '../telemetry/trace.ts'

/** Where the deltas of a streamed event go. */
export interface Sink {
  /** The event has been accepted: it waits or runs. Called once. */
  admitted(id: string): void
  /** Resolves when the next delta may come. */
  delta(delta: Delta): Promise<void> | undefined
  /** The same for what an answer with a schema says so far; it may start over. Absent: nobody wants that. */
  readonly partial?: (data: unknown) => Promise<void> | undefined
}

/** What the desk knows about every event, even one that it cannot read. */
export interface EventHead {
  readonly id: string
  readonly metadata: Record<string, unknown> | undefined
  readonly warnings: EventWarning[] | undefined
  readonly caller: string
  /** Clock time, not wall time. */
  readonly startedAt: number
  /** For every line about the event: with its `event_id`, and its `trace_id` where there is one. */
  readonly logFields: LogFields
  /** Present where a tracer is registered. */
  readonly trace: EventTrace | undefined
}

/** One event on its way, from its acceptance to its outcome. */
export interface Run extends EventHead {
  readonly prompt: Prompt
  readonly model: string | undefined
  readonly backend: string | undefined
  /** What the answer must match. */
  readonly answerSchema: AnswerSchema | undefined
  readonly contextPolicy: ContextPolicy
  /** Of the caller, in tokens. */
  readonly contextLimit: number | undefined
  /** Characters of the last user turn that are never cut. */
  readonly keepsFirst: number
  /** `max_tokens` is the most that the caller takes, not what the answer needs. */
  readonly isCeiling: boolean
  /** The prompt is to be continued, not answered. */
  readonly continues: boolean
  readonly priority: number
  readonly headers: EventOptions['headers']
  readonly prefix: EventOptions['prefix']
  readonly deadlineAt: number
  readonly cancellation: Cancellation
  readonly sink: Sink | undefined
  readonly stand: Stand
  readonly beforeCall: EventOptions['beforeCall']
  readonly work: Work
}

/** Where a run is in its slot, for those who look at the line. Only the loop of attempts writes it. */
export interface Stand {
  /** What its caller knows it by. */
  readonly reference: string | undefined
  /** By which API it came in. */
  readonly door: string | undefined
  readonly isStreamed: boolean
  /** Its name in the line; it gets one when somebody looks. */
  hand?: string
  endpoint: string
  isPausing: boolean
  /** Clock time: when the call began, and when the first text came. */
  callAt: number | undefined
  firstAt: number | undefined
  /** Characters of this call. */
  chars: number
}

export const createStand = (
  { reference, door }: Pick<EventOptions, 'reference' | 'door'>,
  isStreamed: boolean,
): Stand => ({
  reference,
  door,
  isStreamed,
  endpoint: '',
  isPausing: false,
  callAt: undefined,
  firstAt: undefined,
  chars: 0,
})

/**
 * Ends a run from outside: at its deadline, for its caller, or because the desk closes. The first reason counts, and
 * stands here beside the signal, with its type.
 */
export class Cancellation {
  readonly #control = new AbortController()
  #reason: Failure | undefined

  get signal(): AbortSignal {
    return this.#control.signal
  }

  get isCancelled(): boolean {
    return this.#reason !== undefined
  }

  /** Why. To be asked only once it is cancelled. */
  get reason(): Failure {
    if (!this.#reason) throw new Error('A run that goes on was asked why it has ended.')
    return this.#reason
  }

  cancel(reason: Failure): void {
    if (this.#reason) return
    this.#reason = reason
    this.#control.abort(reason)
  }

  /** Waits for the promise, or fails with the reason. What an abandoned promise rejects with is dropped. */
  async until<Value>(pending: Promise<Value>): Promise<Result<Value>> {
    const value = await untilAborted(pending, this.signal)
    return value === ABORTED ? failure(this.reason) : success(value)
  }
}

/** Which events are under way, and a promise that resolves once none is. */
export interface InFlight<Member> extends Iterable<Member> {
  add(member: Member): void
  remove(member: Member): void
  /** Resolves as soon as nobody is left. */
  empty(): Promise<void>
}

export function createInFlight<Member>(): InFlight<Member> {
  const members = new Set<Member>()
  let listeners: (() => void)[] = []
  return {
    add: (member) => void members.add(member),
    remove(member) {
      if (!members.delete(member) || members.size > 0) return
      for (const listener of listeners) listener()
      listeners = []
    },
    empty() {
      if (members.size === 0) return Promise.resolve()
      return new Promise((resolve) => listeners.push(resolve))
    },
    [Symbol.iterator]: () => members.values(),
  }
}

/** A failure with the text that had come. */
export interface RunFailure extends Failure {
  readonly partial?: string | undefined
  readonly schema?: { repairs: number; errors: SchemaError[] }
}

/**
 * A UUID version 7 (RFC 9562): 48 bits of time, then chance, so that ids sort by their time. Not a secret.
 *
 * @param wallTimeMs milliseconds since 1970
 * @param random numbers from 0 up to 1, as Math.random gives them
 */
export function createId(wallTimeMs: number, random: () => number): string {
  const time = Math.trunc(wallTimeMs).toString(16).padStart(12, '0').slice(-12)
  const a = hex(random, 3)
  const variant = '89ab'[Math.floor(random() * 4)]
  const b = hex(random, 3)
  const c = hex(random, 6) + hex(random, 6)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${variant}${b}-${c}`
}

const hex = (random: () => number, digits: number) =>
  Math.floor(random() * 16 ** digits)
    .toString(16)
    .padStart(digits, '0')

/** What an event asks of a model, as far as that can be known before. */
export interface Work {
  readonly promptTokens: number
  readonly maxTokens: number
}

/** A failed call: the failure it counts as, and what the attempt loop needs to know beside the code. */
export interface CallFailure extends Failure {
  /** The endpoint is not there: no verdict about the event. */
  readonly endpointMissing: boolean
  /** The backend does not know the model: another one may. */
  readonly modelUnknown: boolean
  readonly status: number | undefined
  readonly stopped: BackendError['stopped'] | undefined
  readonly stoppedAfterMs?: number | undefined
  readonly partial: string | undefined
  /** What the backend itself said; undefined where the desk found the fault. */
  readonly kind: BackendErrorKind | undefined
  readonly isBusy: boolean
  /** Why an answer does not match its schema. */
  readonly problems?: readonly Problem[]
  /** Asking again would end there, too. */
  readonly isBeyondRepair?: boolean
}

/** Whether a line of this level goes anywhere. For lines that every event writes. */
export const writes = (logger: Logger, level: LineLevel): boolean =>
  logger !== silentLogger && (logger.isEnabled?.(level) ?? true)
