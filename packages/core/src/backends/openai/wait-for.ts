import { BackendError } from '../../contract/backend.ts'
import { aborted, at, connectionError } from '../http/errors.ts'
import type { Interrupt } from '../http/guard-call.ts'
import type { Run } from './openai-call.ts'

/** One step of the call; throws the `BackendError` of whatever came instead. */
export async function waitFor<Value>(run: Run, promise: Promise<Value>): Promise<Value> {
  const step = await run.guard.wait(promise)
  if (step.as === 'value') return step.value
  if (step.as === 'error') throw connectionError(run.place, step.error, run.call.sent())
  throw interruptError(run, step.interrupt)
}

/** The call is closed on the way out, which stops the server. */
export function interruptError({ call, place }: Run, interrupt: Interrupt, partial?: string): BackendError {
  const stopped = call.sent() ? 'ended' : 'not_sent'
  if (interrupt === 'aborted') return aborted(place, stopped, partial)
  return new BackendError('stalled', `${at(place)} paused for too long between two tokens.`, {
    stopped,
    ...(partial && { partial }),
  })
}
