import type { Failure, FailureCode } from '@ai-ticket/core'
import { RequestProblem } from '@ai-ticket/server'

/** For the error handler of the server, which answers `{ error, details }` with the status of the code. */
export const problem = (code: FailureCode, details: string, more: Partial<Failure> = {}): RequestProblem =>
  new RequestProblem({ ...more, code, details })

export const unknownTicket = (): RequestProblem =>
  problem('not_found', 'There is no such ticket. It may have been removed when its time to be kept was over.')
