export type { ApiKey, Scope } from './api-key.ts'
export { createMetrics } from './create-metrics.ts'
export { createServer } from './create-server.ts'
export { HTTP_STATUS } from './http-status.ts'
export type { Metrics, MetricsOptions } from './metrics/metrics.ts'
export { type OpenStream, openEventStream } from './open-event-stream.ts'
export {
  type OpenAiRequest,
  type OpenAiRequestRead,
  readOpenAiRequest,
} from './openai/read-openai-request.ts'
export type { ServerOptions } from './options.ts'
export { parseJsonBody } from './parse-json-body.ts'
export { createRateLimiter, type RateLimit, type RateLimiter, type RateStanding } from './rate-limit.ts'
export { type HttpReply, replyToFailure, replyToOutcome } from './reply.ts'
export { RequestProblem } from './request-problem.ts'
export { type EventRoutesOptions, eventRoutes } from './routes/event.ts'
