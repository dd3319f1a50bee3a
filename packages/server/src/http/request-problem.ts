import type { Failure } from '@ai-ticket/core'

/** Thrown by hooks and parsers for an expected failure; the error handler answers it as `{ error, details }`. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.details)
    this.failure = failure
  }
}
