import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import { BackendError, type Endpoint, type GenerationRequest } from '../contract/backend.ts'
import { ABORTED, untilAborted, withTimeout } from '../contract/clock.ts'
import { type Result, success } from '../contract/failure.ts'
import type { LogFields } from '../contract/logger.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { ContextPolicy, Turn } from '../contract/prompt.ts'
import { createId, type Run } from '../event/run.ts'
import type { Lease } from '../scheduler/lease.ts'
import { type Fit, fitContext } from './fit-context.ts'
import type { Limit } from './match-answer.ts'

/** Where something is sent. */
export interface Target {
  readonly endpoint: Endpoint
  /** The endpoint has refused the schema of the event: it is not asked to enforce it. */
  readonly isRelaxed: boolean
}

/** The conversation with one backend. A value. */
export interface Conversation extends Fit {
  /** The backend is asked to enforce the schema of the event. */
  readonly isEnforced: boolean
}

/** Prepares what one backend is sent for an event: so that it fits there, and so that the schema is enforced or told. */
export class Conversations {
  readonly #run: Run
  readonly #lease: Lease
  readonly #options: ResolvedOptions

  constructor(run: Run, lease: Lease, options: ResolvedOptions) {
    this.#run = run
    this.#lease = lease
    this.#options = options
  }

  /** For an endpoint that enforces the schema, or for a model that reads it in its prompt. */
  async startAt(place: Target): Promise<Result<Conversation>> {
    const { answerSchema, prompt, cancellation } = this.#run
    const { turns } = prompt
    if (!answerSchema) return this.#fit(turns, false)
    const enforces = await cancellation.until(this.#enforces(place, answerSchema))
    if (!enforces.ok) return enforces
    if (enforces.value) return this.#fit(turns, true)
    const told = answerSchema.describe(turns)
    const fitted = await this.#fit(told, false)
    const added = told.length - turns.length
    if (!fitted.ok || added === 0) return fitted
    return success({ ...fitted.value, dropped: fitted.value.dropped.map((index) => index - added) })
  }

  /** Adds turns to a conversation as it was sent. Nothing is dropped for them: the question itself would go first. */
  async extend(
    { turns, dropped, isEnforced }: Conversation,
    more: readonly Turn[],
  ): Promise<Result<Conversation>> {
    const policy = this.#run.contextPolicy === 'off' ? 'off' : 'refuse'
    const fitted = await this.#fit([...turns, ...more], isEnforced, policy)
    return fitted.ok ? success({ ...fitted.value, dropped }) : fitted
  }

  /** A request of its own for each call, with a seed of its own where the server would take its clock for one. */
  requestFor({ turns, maxTokens, isOpenEnded, isEnforced }: Sent, drawnSeed?: number): GenerationRequest {
    const { prompt, model: wanted, answerSchema, headers, continues } = this.#run
    const { clock, random, tuning } = this.#options
    const model = wanted === undefined ? undefined : this.#lease.modelFor(wanted)
    return {
      key: `gen_${createId(clock.wallTime(), random)}`,
      turns,
      parameters: {
        temperature: tuning.temperature,
        top_p: tuning.topP,
        ...prompt.parameters,
        max_tokens: maxTokens,
        ...(drawnSeed !== undefined && { seed: drawnSeed }),
      },
      ...(isOpenEnded ? { isOpenEnded } : {}),
      ...(model === undefined ? {} : { model }),
      ...(answerSchema && isEnforced ? { schema: answerSchema.schema } : {}),
      ...(continues && !answerSchema ? { continues: true } : {}),
      ...(headers ? { headers } : {}),
    }
  }

  /** Where an answer was cut: by whose limit, and what to do. */
  limitOf({ parameters, isOpenEnded }: GenerationRequest): Limit {
    const { prompt, isCeiling } = this.#run
    const { maxTokens, ceilingMaxTokens } = this.#options.tuning
    const { max_tokens: sent } = parameters
    const asked = prompt.parameters.max_tokens
    if (asked !== undefined && sent >= asked) {
      return { words: `reached its \`max_tokens\` (${asked})`, remedy: 'raise `max_tokens` or ask for less' }
    }
    const remedy = 'set `max_tokens` or ask for less'
    if (isOpenEnded) return { words: 'reached the limit of its backend', remedy }
    if (asked === undefined && sent === (isCeiling ? ceilingMaxTokens : maxTokens)) {
      return { words: `reached the desk's own limit of ${sent} tokens`, remedy }
    }
    return {
      words: 'filled the context of the model',
      remedy: 'shorten the prompt, ask for less, or load the model with a larger context',
    }
  }

  /** Undefined: the caller has chosen one, or the server draws better ones itself. A negative seed asks for any. */
  drawSeed({ endpoint }: Pick<Target, 'endpoint'>): number | undefined {
    const { seed = -1 } = this.#run.prompt.parameters
    return endpoint.seedsByClock && seed < 0
      ? 1 + Math.floor(this.#options.random() * LARGEST_SEED)
      : undefined
  }

  async #enforces({ endpoint, isRelaxed }: Target, answerSchema: AnswerSchema): Promise<boolean> {
    const { prompt, cancellation } = this.#run
    const { backend } = this.#lease
    // The caller's own grammar takes precedence: a server takes one or the other.
    if (endpoint.schema === false || isRelaxed || prompt.parameters.grammar !== undefined) return false
    if (answerSchema.refusedBy.has(addressOf(backend, endpoint))) return false
    try {
      return (await backend.enforces?.(endpoint, answerSchema.schema, cancellation.signal)) ?? true
    } catch {
      // It must not throw; one that does keeps no event from its answer, and no slot.
      return false
    }
  }

  async #fit(
    turns: readonly Turn[],
    isEnforced: boolean,
    policy: ContextPolicy = this.#run.contextPolicy,
  ): Promise<Result<Conversation>> {
    const { prompt, cancellation, isCeiling, contextLimit, keepsFirst } = this.#run
    const { tuning } = this.#options
    const fitting = fitContext({
      turns,
      maxTokens: prompt.parameters.max_tokens,
      defaultMaxTokens: tuning.maxTokens,
      ...(isCeiling && { unasked: tuning.ceilingMaxTokens || Number.POSITIVE_INFINITY }),
      tools: prompt.parameters.tools,
      policy,
      contextLimit,
      keepsFirst,
      contextLength: (certainty) => this.#lease.contextLength(certainty),
      count: (some) => this.#countTokens(some),
    })
    const waited = fitting instanceof Promise ? await cancellation.until(fitting) : success(fitting)
    if (!waited.ok) return waited
    const fit = waited.value
    return fit.ok ? success({ ...fit.value, isEnforced }) : fit
  }

  /** A count that nobody gives switches the guard off: the event is worth more than the guard. */
  async #countTokens(turns: readonly Turn[]): Promise<number | undefined> {
    const { cancellation } = this.#run
    const { backend } = this.#lease
    const { clock } = this.#options
    const request = this.requestFor({ turns, maxTokens: 1, isEnforced: false })
    try {
      const limits = { timeoutMs: LONGEST_COUNT_MS, signal: cancellation.signal }
      const tokens = await withTimeout(clock, limits, (signal) =>
        // An adapter that does not obey its signal must not keep the event.
        untilAborted(Promise.resolve(backend.countTokens?.(request, signal)), signal),
      )
      if (tokens === ABORTED) {
        if (!cancellation.isCancelled) this.#warnOfCount(SILENT, { details: SILENT })
        return undefined
      }
      if (tokens === undefined) this.#warnOfCount('it cannot count', {})
      else this.#lease.isNewCountProblem(undefined)
      return tokens
    } catch (error) {
      if (cancellation.isCancelled) return undefined
      // What a server says is no bug of ours: its words are enough, without a stack.
      // A refused key is reported as a change of the backend's state.
      if (error instanceof BackendError && error.reason === 'authentication') return undefined
      if (error instanceof BackendError) this.#warnOfCount(error.message, { details: error.message })
      else this.#warnOfCount(String(error), { error })
      return undefined
    }
  }

  /** Once for a backend, until it counts again or fails in another way: it concerns every event. */
  #warnOfCount(problem: string, cause: LogFields): void {
    const { logger } = this.#options
    const fields = { ...this.#run.logFields, backend: this.#lease.backend.name, ...cause }
    if (this.#lease.isNewCountProblem(problem)) logger.warn(UNCOUNTED, fields)
    else logger.debug(UNCOUNTED, fields)
  }
}

/** Seeds of 32 bits with a sign are what all servers take. */
const LARGEST_SEED = 2 ** 31 - 1

type Sent = Pick<Conversation, 'turns' | 'maxTokens' | 'isOpenEnded' | 'isEnforced'>

/** A tokenizer takes milliseconds. One that hangs must not take the time of the event. */
const LONGEST_COUNT_MS = 5000
const SILENT = `It did not count them within ${LONGEST_COUNT_MS} ms.`
const UNCOUNTED = 'tokens could not be counted: a prompt that is too long is not refused'

/** By this name a schema remembers who refused it. */
export const addressOf = (backend: { readonly name: string }, endpoint: { readonly name: string }): string =>
  `${backend.name}/${endpoint.name}`
