import type { Endpoint, GenerationRequest } from './backend.ts'
import { canCarry } from './can-carry.ts'
import { createId } from './create-id.ts'
import type { Desk } from './desk.ts'
import { failure, type Result, success } from './failure.ts'
import { type Fit, fitContext } from './fit-context.ts'
import type { ResolvedOptions } from './options.ts'
import type { Turn } from './prompt.ts'
import { endedBecause, type Run } from './run.ts'
import type { Seat } from './seat.ts'
import { ABORTED, untilAborted } from './until-aborted.ts'

export interface AttemptContext extends ResolvedOptions {
  readonly desk: Desk
}

/** Where the loop stands: one slot of one backend, one of its endpoints, so many calls. */
export interface Cursor {
  readonly seat: Seat
  readonly endpoints: readonly Endpoint[]
  readonly fit: Fit
  endpointIndex: number
  calls: number
  waitedMs: number
}

/** Takes its place at a backend, with a conversation that fits there; leaves the slot where none does. */
export async function openCursor(seat: Seat, run: Run, context: AttemptContext): Promise<Result<Cursor>> {
  const endpoints = seat.backend.endpoints.filter((endpoint) => canCarry(endpoint, run.prompt))
  const { signal } = run.control
  const fitting = fitContext({
    turns: run.prompt.turns,
    maxTokens: run.prompt.parameters.max_tokens,
    defaultMaxTokens: context.tuning.maxTokens,
    policy: run.contextPolicy,
    contextLength: () => seat.contextLength(),
    count: (turns) => countTokens(run, context, { seat, turns }),
  })
  const fit = await untilAborted(fitting, signal)
  if (fit === ABORTED) {
    seat.leave({ type: 'unused' })
    return failure(endedBecause(run))
  }
  if (!fit.ok) {
    seat.leave({ type: 'unused' })
    return fit
  }
  return success({ seat, endpoints, fit: fit.value, endpointIndex: 0, calls: 0, waitedMs: 0 })
}

/** A count that fails switches the guard off: the event is worth more than the guard. */
async function countTokens(
  run: Run,
  context: AttemptContext,
  { seat, turns }: { seat: Seat; turns: readonly Turn[] },
): Promise<number | undefined> {
  const { backend } = seat
  const fit = { turns, maxTokens: 1 }
  try {
    return await backend.countTokens?.(toRequest(run, context, { seat, fit }), run.control.signal)
  } catch (error) {
    const fields = { ...run.logFields, event_id: run.id, backend: backend.name }
    if (!run.control.signal.aborted) context.logger.warn('tokens could not be counted', { ...fields, error })
    return undefined
  }
}

export function endpointOf({ endpoints, endpointIndex, seat }: Cursor): Endpoint {
  const endpoint = endpoints[endpointIndex]
  if (!endpoint) throw new Error(`no endpoint ${endpointIndex} of ${seat.backend.name}`)
  return endpoint
}

export function toRequest(
  run: Run,
  { clock, random, tuning }: AttemptContext,
  { seat, fit }: { seat: Seat; fit: Pick<Fit, 'turns' | 'maxTokens'> },
): GenerationRequest {
  const { temperature, topP } = tuning
  const model = seat.modelFor(run.model)
  return {
    key: `gen_${createId(clock.wallTime(), random)}`,
    turns: fit.turns,
    parameters: { temperature, top_p: topP, ...run.prompt.parameters, max_tokens: fit.maxTokens },
    ...(model === undefined ? {} : { model }),
    ...(run.schema ? { schema: run.schema } : {}),
    ...(run.headers ? { headers: run.headers } : {}),
  }
}
