export { CLOUD_EVENT_CONTENT, CLOUD_EVENT_HEADERS, CloudEventSchema } from './openapi/cloud-event-schemas.ts'
export { BackendReportSchema, DESK_SCHEMAS, LineReportSchema } from './openapi/desk-schemas.ts'
export { EVENT_STREAM, EVENT_WORDS, StreamFailureSchema } from './openapi/event-schemas.ts'
export type {
  Answer,
  AnswerHeader,
  Content,
  DescribedRoute,
  DescribeOperation,
  Operation,
  Parameter,
  RequestBody,
  Tag,
} from './openapi/operation.ts'
export { described } from './openapi/operation.ts'
export { EVENT_FAILURES } from './openapi/operations.ts'
export {
  AttemptSchema,
  FailureCodeSchema,
  FailureOutcomeSchema,
  OUTCOME_SCHEMAS,
  SuccessOutcomeSchema,
} from './openapi/outcome-schemas.ts'
export type { OpenApiRegistry, OperationExtension, RegisteredRoute } from './openapi/registry.ts'
