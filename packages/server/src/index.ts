export {
  type AnswerOptions,
  answerInStream,
  answerWhole,
  type Exchange,
  eventOptionsOf,
  isGone,
  type StreamOfEvent,
} from './answer/answer-event.ts'
export { type OpenStream, openEventStream, type StreamDialect } from './answer/event-stream.ts'
export { createServer } from './create-server.ts'
export type { ApiKey, Scope } from './gate/api-key.ts'
export { createRateLimiter, type RateLimit, type RateLimiter, type RateStanding } from './gate/rate-limit.ts'
export type { KeyReport } from './gate/rate-limit-hook.ts'
export { HTTP_STATUS } from './http/http-status.ts'
export { parseJsonBody } from './http/json-body.ts'
export {
  type FailureDialect,
  type HttpReply,
  replyToFailure,
  replyToOutcome,
  sendReply,
} from './http/reply.ts'
export { RequestProblem } from './http/request-problem.ts'
export { createMetrics } from './metrics/create-metrics.ts'
export { type Metrics, type MetricsOptions, wastedMs, wasteReason } from './metrics/metrics.ts'
export {
  errorBody as openAiErrorBody,
  errorReply as openAiErrorReply,
  OPENAI_DIALECT,
  outcomeFailure as openAiFailure,
  shouldRetryAfter,
} from './openai/error-reply.ts'
export {
  type OpenAiRequest,
  type OpenAiRequestRead,
  readOpenAiRequest,
} from './openai/read-openai-request.ts'
export { namesIn } from './openai/read-request.ts'
export type { ServerOptions } from './options.ts'
export { type EventRoutesOptions, eventRoutes } from './routes/event.ts'
