import { RequestProblem } from '../http/request-problem.ts'

/** 400; the details name what is wrong with the CloudEvent. */
export const invalidEvent = (details: string): RequestProblem =>
  new RequestProblem({ code: 'invalid_input_format', details })

export const unsupportedType = (details: string): RequestProblem =>
  new RequestProblem({ code: 'unsupported_media_type', details })
