import type { GenerationRequest } from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { Logger } from '../../contract/logger.ts'
import type { HttpClient } from '../http/client.ts'
import type { ErrorPlace } from '../http/errors.ts'
import type { CallGuard, OpenCall } from '../http/open-call.ts'
import type { TranscriptTemplate } from '../http/transcript.ts'
import type { KoboldEndpoint } from './endpoints.ts'
import type { Router } from './probe.ts'
import type { SchemaGrammars } from './schema-grammars.ts'
import type { SideChannel } from './side-channel.ts'

/** What all generations of one backend share. */
export interface KoboldContext {
  readonly name: string
  readonly client: HttpClient
  readonly side: SideChannel
  readonly grammars: SchemaGrammars
  readonly clock: Clock
  readonly logger: Logger
  readonly template: TranscriptTemplate
  readonly model?: string
  readonly tokenTimeoutMs: number
  readonly silenceProbeMs: number
  readonly deadAfterMs: number
  readonly abortIntervalMs: number
  readonly closed: AbortSignal
  /** Keys of the calls that are open now. */
  readonly running: Set<string>
  /** Keys of calls that were given up while the server seemed dead. */
  readonly left: Set<string>
  readonly router: Router
  /** In tokens, once a look at the server has told it. */
  contextLength?: number | undefined
}

/** One generation on its way. */
export interface Run {
  readonly context: KoboldContext
  readonly place: ErrorPlace
  readonly endpoint: KoboldEndpoint
  readonly request: GenerationRequest
  readonly mayHitStop: boolean
  /** When the call began, on the clock. */
  readonly startedAt: number
  readonly call: OpenCall
  readonly guard: CallGuard
}
