import {
  type AnnouncedCall,
  type Dispatcher,
  FAILURES,
  type FailureOutcome,
  type Outcome,
} from '@ai-ticket/core'
import type { OpenAiRequest } from '@ai-ticket/http-server'
import type { CallNotes } from './job.ts'

/** Asks the dispatcher of this process. What is generated meanwhile is noted, so that the next run can stop it. */
export function askHere(dispatcher: Dispatcher, notes: CallNotes): Ask {
  return async (event, _key, options): Promise<Answer> => {
    const calls: AnnouncedCall[] = []
    const beforeCall = (call: AnnouncedCall) => {
      calls.push(call)
      notes.add(call)
    }
    const outcome = await dispatcher.onEvent(event, { ...options, caller: 'batch', beforeCall })
    notes.remove(calls)
    if (outcome.error === undefined) return { type: 'final', outcome }
    const { error } = outcome
    if (error === 'api_authentication_error') {
      return { type: 'hopeless', details: outcome.details, reason: 'no_permission' }
    }
    const { passes } = FAILURES[error]
    if (passes === 'when_free') return { type: 'again', outcome, isAway: true }
    return passes === 'perhaps' ? { type: 'again', outcome, isAway: false } : { type: 'final', outcome }
  }
}

/** `no_permission`: the key was refused. `unavailable`: nothing there answers events. */
export type HopelessReason = 'no_permission' | 'unavailable'

/** What came of asking once. */
export type Answer =
  | { readonly type: 'final'; readonly outcome: Outcome }
  /** It may be different later. `isAway`: nobody was there to be asked, so it says nothing about the line. */
  | { readonly type: 'again'; readonly outcome: FailureOutcome; readonly isAway: boolean }
  /** No line will be answered until somebody changes something. */
  | { readonly type: 'hopeless'; readonly details: string; readonly reason: HopelessReason }

/**
 * Who is asked. Resolves always; `key` is the same whenever the same line is asked. A ticket holds an event and no
 * options: a server takes a text that is to be gone on with for a question.
 */
export type Ask = (event: unknown, key: () => string, options?: OpenAiRequest['options']) => Promise<Answer>
