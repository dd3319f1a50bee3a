import type { GenerationRequest } from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { HttpClient } from '../http/client.ts'
import type { ErrorPlace } from '../http/errors.ts'
import type { CallGuard } from '../http/guard-call.ts'
import type { OpenCall } from '../http/open-call.ts'
import type { TranscriptTemplate } from '../http/transcript.ts'
import type { ApiRoot } from './api-root.ts'
import type { Dialect } from './dialect.ts'
import type { OpenAIEndpoint } from './endpoints.ts'
import type { ModelNames } from './model-names.ts'

/** What all generations of one backend share. */
export interface OpenAIContext {
  readonly name: string
  readonly root: ApiRoot
  readonly client: HttpClient
  readonly clock: Clock
  readonly template: TranscriptTemplate
  readonly tokenTimeoutMs: number
  readonly models: ModelNames
  /** Side paths that this server does not have. */
  readonly missing: Set<string>
  /** Learned from refusals, for all calls to come. */
  dialect: Dialect
  /** What its tokenizer takes, once that is known. */
  tokenizer: 'unknown' | 'messages' | 'content'
}

/** One generation on its way: its call is open. */
export interface Run {
  readonly context: OpenAIContext
  readonly place: ErrorPlace
  readonly endpoint: OpenAIEndpoint
  readonly request: GenerationRequest
  readonly call: OpenCall
  /** In which its request was written. */
  readonly dialect: Dialect
  readonly guard: CallGuard
}
