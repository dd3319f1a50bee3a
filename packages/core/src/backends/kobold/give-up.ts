import { BackendError } from '../../contract/backend.ts'
import { aborted, at, connectionError, stoppedError } from '../http/errors.ts'
import type { Step } from '../http/guard-call.ts'
import type { Run } from './kobold-call.ts'
import { type Stopped, stopGeneration } from './stop-generation.ts'

export interface GiveUpOptions {
  /** Settles when the call has ended. */
  readonly rest: Promise<unknown>
  /** The text that had come; asked only once the call has ended. */
  partial(): Promise<string | undefined> | string | undefined
}

/** The error for a call that brought no answer, after the server is known to have stopped working for it. */
export async function giveUp(
  run: Run,
  step: Exclude<Step<unknown>, { as: 'value' }>,
  { rest, partial }: GiveUpOptions,
): Promise<BackendError> {
  // Nobody may ask for it, and then its failure would count as unhandled.
  rest.catch(() => {})
  const { call, place } = run
  if (step.as === 'error') return breakOff(run, connectionError(place, step.error, call.sent()), partial)
  const { interrupt } = step
  if (interrupt === 'lost' || interrupt === 'dead') {
    call.hangUp()
    return interrupt === 'lost'
      ? new BackendError('lost', `${at(place)} is idle and will never answer this request.`, {
          stopped: 'idle',
        })
      : new BackendError('dead', `${at(place)} is silent, and so is its side channel.`, { stopped: 'dead' })
  }
  const stopped = call.sent() ? await stop(run, rest) : 'not_sent'
  call.hangUp()
  const text = stopped === 'ended' ? await partial() : undefined
  if (interrupt === 'aborted') return aborted(place, stopped, text)
  return new BackendError('stalled', `${at(place)} paused for too long between two tokens.`, {
    stopped,
    ...(text && { partial: text }),
  })
}

/** The connection broke. Where the request was written, the server may work on without it: it is stopped first. */
export async function breakOff(
  run: Run,
  error: BackendError,
  partial: GiveUpOptions['partial'],
): Promise<BackendError> {
  run.call.hangUp()
  if (error.stopped === 'not_sent') return error
  const stopped = await stop(run)
  const text = await partial()
  return stoppedError(error, stopped, text)
}

/** Stops the generation; `rest` is given while its call is open. */
export async function stop({ context, place, request }: Run, rest?: Promise<unknown>): Promise<Stopped> {
  const { clock, side, closed, abortIntervalMs, deadAfterMs, logger } = context
  const stopped = await stopGeneration({
    clock,
    side,
    closed,
    deadAfterMs,
    key: request.key,
    intervalMs: abortIntervalMs,
    ...(rest && { ended: rest }),
  })
  logger.debug('generation stopped', { ...place, genkey: request.key, stopped })
  return stopped
}
