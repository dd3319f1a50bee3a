import * as v from 'valibot'
import { FailureCodeSchema } from './outcome-schemas.ts'

/** What fails before there is an event. */
export const FailureSchema = v.pipe(
  v.object({
    error: FailureCodeSchema,
    details: v.pipe(v.string(), v.description('What failed and what to do, in plain words.')),
  }),
  v.description('A request that was refused.'),
)

/** All four keys are always there. `code` is one of ours, or OpenAI's word for it. */
export const OpenAiErrorSchema = v.pipe(
  v.object({
    error: v.object({
      message: v.string(),
      type: v.picklist(['invalid_request_error', 'permission_error', 'rate_limit_error', 'server_error']),
      param: v.nullable(v.string()),
      code: v.string(),
    }),
  }),
  v.description("A failure, as OpenAI's clients read it."),
)
