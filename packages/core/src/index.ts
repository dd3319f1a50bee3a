export {
  type Backend,
  BackendError,
  type BackendErrorKind,
  type BackendErrorOptions,
  type BackendServer,
  type BackendState,
  type Endpoint,
  type GenerationEnd,
  type GenerationEvent,
  type GenerationOptions,
  type GenerationRequest,
} from './backend.ts'
export { type Clock, sleep, systemClock, type Timer } from './clock.ts'
export { type ConsolaLoggerOptions, createConsolaLogger, type LogStream } from './consola-logger.ts'
export { createDispatcher } from './create-dispatcher.ts'
export { onEvent } from './default-dispatcher.ts'
export type {
  AnnouncedCall,
  BackendHealth,
  BackendReport,
  CloseOptions,
  DeskReport,
  Dispatcher,
  EventOptions,
  EventTraceOptions,
  FreeSlots,
  Health,
  LineReport,
  SchemaOptions,
  StreamEvent,
} from './dispatcher.ts'
export { FAILURE_CODES, FAILURES, type Failure, type FailureCode, type FailureRule } from './failure.ts'
export { readRetryAfter } from './http/retry-after.ts'
export {
  alpacaTemplate,
  type Transcript,
  type TranscriptTemplate,
  writeTranscript,
} from './http/transcript.ts'
export { type EventInspection, inspectEvent } from './inspect-event.ts'
export { createKoboldBackend } from './kobold/create-kobold-backend.ts'
export type { KoboldBackendOptions } from './kobold/kobold-options.ts'
export { type LogLevel, parseLogLevel } from './log-level.ts'
export { type LineLevel, type LogFields, type Logger, silentLogger } from './logger.ts'
export type { AbandonedCall, EventTiming, Observer } from './observer.ts'
export { createOpenAIBackend } from './openai/create-openai-backend.ts'
export type { OpenAIBackendOptions } from './openai/openai-options.ts'
export {
  type BackendEntry,
  DEFAULTS,
  type DispatcherOptions,
  type OutcomeContext,
  type OutcomeListener,
  type Tuning,
} from './options.ts'
export type {
  AttemptRecord,
  DataOutcome,
  FailureOutcome,
  FinishReason,
  Outcome,
  SchemaCertificate,
  SchemaError,
  SuccessOutcome,
  ToolCall,
  Usage,
} from './outcome.ts'
export type { ImagePart, Parameters, Prompt, Role, TextPart, Turn } from './prompt.ts'
export type { DeepPartial } from './schema/deep-partial.ts'
export type { DataOf, StandardIssue, StandardResult, StandardSchema } from './schema/standard-schema.ts'
export { traceArrival } from './telemetry.ts'
export type { TracedArrival } from './trace.ts'
