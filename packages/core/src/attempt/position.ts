import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import type { Endpoint, GenerationRequest } from '../contract/backend.ts'
import { ABORTED, untilAborted } from '../contract/clock.ts'
import { failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { ContextPolicy, Turn } from '../contract/prompt.ts'
import { createId, endedBecause, type Run } from '../event/run.ts'
import { canCarry } from '../scheduler/candidates.ts'
import type { Lease } from '../scheduler/lease.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { type Fit, fitContext } from './fit-context.ts'

export interface AttemptContext extends ResolvedOptions {
  readonly scheduler: Scheduler
}

/** Where the loop stands: one slot of one backend, one of its endpoints, so many calls. */
export interface Cursor {
  readonly lease: Lease
  readonly endpoints: readonly Endpoint[]
  fit: Fit
  /** The backend is asked to enforce the schema of the event. */
  enforced: boolean
  /** It refused to, at this endpoint. */
  relaxed: boolean
  endpointIndex: number
  calls: number
  /** Those of the calls that asked for a corrected answer. */
  repairs: number
  waitedMs: number
}

/** Takes its place at a backend, with a conversation that fits there; leaves the slot where none does. */
export async function openCursor(lease: Lease, run: Run, context: AttemptContext): Promise<Result<Cursor>> {
  const endpoints = endpointsFor(run, lease)
  const fit = { turns: run.prompt.turns, maxTokens: 0, promptTokens: undefined, dropped: [] }
  const start = { endpointIndex: 0, calls: 0, repairs: 0, waitedMs: 0, enforced: false, relaxed: false }
  const cursor: Cursor = { lease, endpoints, fit, ...start }
  const fitted = run.answerSchema
    ? await fitForSchema(run, context, cursor, run.answerSchema)
    : await fitTurns(run, context, cursor, run.prompt.turns)
  if (fitted.ok) return success(cursor)
  lease.leave({ type: 'unused' })
  return fitted
}

/** A schema goes before a continuation: an endpoint that obeys it need not take a text. */
function endpointsFor({ prompt, continues, answerSchema }: Run, { backend }: Lease): Endpoint[] {
  const able = backend.endpoints.filter((endpoint) => canCarry(endpoint, prompt))
  if (!continues || answerSchema) return able
  return [...able.filter(({ turns }) => !turns), ...able.filter(({ turns }) => turns)]
}

/** The conversation for an endpoint that enforces the schema, or for a model that is told of it. */
export async function fitForSchema(
  run: Run,
  context: AttemptContext,
  cursor: Cursor,
  answerSchema: AnswerSchema,
): Promise<Result<void>> {
  const enforced = await untilAborted(enforces(run, cursor, answerSchema), run.control.signal)
  if (enforced === ABORTED) return failure(endedBecause(run))
  cursor.enforced = enforced
  const { turns } = run.prompt
  const told = enforced ? turns : answerSchema.describe(turns)
  const fitted = await fitTurns(run, context, cursor, told)
  const added = told.length - turns.length
  if (added > 0) cursor.fit = { ...cursor.fit, dropped: cursor.fit.dropped.map((index) => index - added) }
  return fitted
}

async function enforces(
  { prompt, control }: Run,
  cursor: Cursor,
  answerSchema: AnswerSchema,
): Promise<boolean> {
  const endpoint = endpointOf(cursor)
  // The caller's own grammar goes before: a server takes one or the other.
  if (endpoint.schema === false || cursor.relaxed || prompt.parameters.grammar !== undefined) return false
  const { backend } = cursor.lease
  if (answerSchema.refusedBy.has(placeOf(cursor))) return false
  try {
    return await (backend.enforces?.(endpoint, answerSchema.schema, control.signal) ?? true)
  } catch {
    // It must not throw; one that does keeps no event from its answer, and no slot.
    return false
  }
}

/** By this name a schema remembers who refused it. */
export const placeOf = (cursor: Cursor) => `${cursor.lease.backend.name}/${endpointOf(cursor).name}`

/**
 * Adds turns to the conversation as it was sent. Nothing is dropped for them: the question itself would go first.
 */
export async function extendTurns(
  run: Run,
  context: AttemptContext,
  cursor: Cursor,
  more: readonly Turn[],
): Promise<Result<void>> {
  const { turns, dropped } = cursor.fit
  const policy = run.contextPolicy === 'off' ? 'off' : 'refuse'
  const fitted = await fitTurns(run, context, cursor, [...turns, ...more], policy)
  if (fitted.ok) cursor.fit = { ...cursor.fit, dropped }
  return fitted
}

async function fitTurns(
  run: Run,
  context: AttemptContext,
  cursor: Cursor,
  turns: readonly Turn[],
  policy: ContextPolicy = run.contextPolicy,
): Promise<Result<void>> {
  const { lease } = cursor
  const fitting = fitContext({
    turns,
    maxTokens: run.prompt.parameters.max_tokens,
    defaultMaxTokens: context.tuning.maxTokens,
    policy,
    contextLength: () => lease.contextLength(),
    count: (some) => countTokens(run, context, { lease, turns: some }),
  })
  const fit = fitting instanceof Promise ? await untilAborted(fitting, run.control.signal) : fitting
  if (fit === ABORTED) return failure(endedBecause(run))
  if (!fit.ok) return fit
  cursor.fit = fit.value
  return success(undefined)
}

/** A count that nobody gives switches the guard off: the event is worth more than the guard. */
async function countTokens(
  run: Run,
  context: AttemptContext,
  { lease, turns }: { lease: Lease; turns: readonly Turn[] },
): Promise<number | undefined> {
  const { backend } = lease
  const fit = { turns, maxTokens: 1 }
  const request = toRequest(run, context, { lease, fit, enforced: false })
  const fields = { ...run.logFields, event_id: run.id, backend: backend.name }
  try {
    const tokens = await backend.countTokens?.(request, run.control.signal)
    if (tokens === undefined) context.logger.warn(UNCOUNTED, fields)
    return tokens
  } catch (error) {
    if (!run.control.signal.aborted) context.logger.warn(UNCOUNTED, { ...fields, error })
    return undefined
  }
}

const UNCOUNTED = 'tokens could not be counted: a prompt that is too long is not refused'

export function endpointOf({ endpoints, endpointIndex, lease }: Cursor): Endpoint {
  const endpoint = endpoints[endpointIndex]
  if (!endpoint) throw new Error(`no endpoint ${endpointIndex} of ${lease.backend.name}`)
  return endpoint
}

export function toRequest(
  run: Run,
  { clock, random, tuning }: AttemptContext,
  { lease, fit, enforced }: { lease: Lease; fit: Pick<Fit, 'turns' | 'maxTokens'>; enforced: boolean },
): GenerationRequest {
  const { temperature, topP } = tuning
  const model = lease.modelFor(run.model)
  return {
    key: `gen_${createId(clock.wallTime(), random)}`,
    turns: fit.turns,
    parameters: { temperature, top_p: topP, ...run.prompt.parameters, max_tokens: fit.maxTokens },
    ...(model === undefined ? {} : { model }),
    ...(run.answerSchema && enforced ? { schema: run.answerSchema.schema } : {}),
    ...(run.continues && !run.answerSchema ? { continues: true } : {}),
    ...(run.headers ? { headers: run.headers } : {}),
  }
}
