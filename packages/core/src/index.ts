export { type RetryAfterLimits, readRetryAfter } from './backends/http/retry-after.ts'
export { skipInformational } from './backends/http/skip-informational.ts'
export {
  alpacaTemplate,
  type Transcript,
  type TranscriptTemplate,
  writeTranscript,
} from './backends/http/transcript.ts'
export { createKoboldBackend } from './backends/kobold/create-kobold-backend.ts'
export type { KoboldBackendOptions } from './backends/kobold/kobold-options.ts'
export { createOpenAIBackend } from './backends/openai/create-openai-backend.ts'
export type { OpenAIBackendOptions } from './backends/openai/openai-options.ts'
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
  type LoadedModel,
} from './contract/backend.ts'
export { type Clock, sleep, systemClock, type Timer } from './contract/clock.ts'
export type {
  AnnouncedCall,
  BackendControl,
  BackendHealth,
  BackendReport,
  CloseOptions,
  CountFailure,
  CountOptions,
  DeepPartial,
  DeskReport,
  Dispatcher,
  EventInHand,
  EventOptions,
  EventTraceOptions,
  FreeSlots,
  Health,
  LineReport,
  LineView,
  NamesOfObject,
  RunningEvent,
  SchemaOptions,
  StreamEvent,
  TokenCount,
  WaitingEvent,
} from './contract/dispatcher.ts'
export type {
  ContentInput,
  ContentPartInput,
  EventInput,
  ImagePartInput,
  JsonContent,
  JsonSchemaInput,
  MessageInput,
  MessagesContent,
  ParametersInput,
  PromptContent,
  RawEvent,
  ToolChoiceInput,
  ToolInput,
} from './contract/event-input.ts'
export {
  FAILURE_CODES,
  FAILURES,
  type Failure,
  type FailureCode,
  type FailureRule,
  LONGEST_RETRY_AFTER_MS,
} from './contract/failure.ts'
export { JSON_LIMITS, jsonExcess, LongNumber, parseJson } from './contract/json-value.ts'
export { type LineLevel, type LogFields, type Logger, silentLogger } from './contract/logger.ts'
export type { AbandonedCall, EventTiming, Observer } from './contract/observer.ts'
export {
  type BackendEntry,
  DEFAULTS,
  type DispatcherOptions,
  type OutcomeContext,
  type OutcomeListener,
  type Reconfiguration,
  type Tuning,
} from './contract/options.ts'
export type {
  AttemptRecord,
  DataOutcome,
  EventWarning,
  FailureOutcome,
  FinishReason,
  Outcome,
  SchemaCertificate,
  SchemaError,
  SuccessOutcome,
  ToolCall,
  Usage,
} from './contract/outcome.ts'
export {
  type ContextPolicy,
  type ImagePart,
  OTHER_NAMES,
  type Parameters,
  type Prompt,
  type Role,
  SAMPLER_NAMES,
  type SamplerParameters,
  type TextPart,
  type Turn,
} from './contract/prompt.ts'
export type { DataOf, StandardIssue, StandardResult, StandardSchema } from './contract/standard-schema.ts'
export { createDispatcher } from './create-dispatcher.ts'
export { onEvent } from './default-dispatcher.ts'
export { type EventInspection, inspectEvent, withoutUnknownFields } from './event/event.ts'
export {
  type ConsolaLogger,
  type ConsolaLoggerOptions,
  createConsolaLogger,
  type LogLevel,
  type LogStream,
  parseLogLevel,
} from './telemetry/consola-logger.ts'
export { traceArrival } from './telemetry/load-tracing.ts'
export type { TracedArrival } from './telemetry/trace.ts'
