import type { AnnouncedCall, Dispatcher, FailureCode } from '@ai-ticket/core'
import { EXIT } from '../program/exit-codes.ts'
import type { Answer, Ask } from './answer.ts'
import type { CallNotes } from './lock-output.ts'

/** Nobody was there to be asked, or had time. */
const AWAY: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'api_connection_error',
  'api_rate_limited',
  'capacity_exceeded',
])

/** It may be the server's trouble or the line's. */
const TROUBLE: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'api_timeout',
  'api_server_error',
  'api_stream_interrupted',
  'api_response_format_error',
  'api_response_structure_error',
])

/** Asks the dispatcher of this process. What is generated meanwhile is noted, so that the next run can stop it. */
export function askHere(dispatcher: Dispatcher, notes: CallNotes): Ask {
  return async (event): Promise<Answer> => {
    const calls: AnnouncedCall[] = []
    const beforeCall = (call: AnnouncedCall) => {
      calls.push(call)
      notes.add(call)
    }
    const outcome = await dispatcher.onEvent(event, { caller: 'batch', beforeCall })
    notes.remove(calls)
    if ('completion' in outcome) return { type: 'final', outcome }
    const { error } = outcome
    if (error === 'api_authentication_error') {
      return { type: 'hopeless', details: outcome.details, exitCode: EXIT.noPermission }
    }
    const isAway = AWAY.has(error)
    return isAway || TROUBLE.has(error) ? { type: 'again', outcome, isAway } : { type: 'final', outcome }
  }
}
