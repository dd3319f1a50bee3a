/**
 * The names of everything that a span carries. Those of `gen_ai` are marked "Development" in OpenTelemetry's
 * conventions (1.41.1) and have changed before: they stand here and nowhere else.
 */
export const ATTRIBUTE = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  topP: 'gen_ai.request.top_p',
  topK: 'gen_ai.request.top_k',
  frequencyPenalty: 'gen_ai.request.frequency_penalty',
  presencePenalty: 'gen_ai.request.presence_penalty',
  seed: 'gen_ai.request.seed',
  stream: 'gen_ai.request.stream',
  outputType: 'gen_ai.output.type',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  httpStatus: 'http.response.status_code',
  eventId: 'ai_ticket.event.id',
  code: 'ai_ticket.code',
  backend: 'ai_ticket.backend',
  endpoint: 'ai_ticket.endpoint',
  attemptNumber: 'ai_ticket.attempt.number',
  attempts: 'ai_ticket.attempts',
  /** Seconds in the waiting line. */
  wait: 'ai_ticket.wait',
} as const
