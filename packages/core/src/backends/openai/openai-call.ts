import { BackendError, type GenerationRequest } from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { Turn } from '../../contract/prompt.ts'
import type { HttpClient } from '../http/client.ts'
import { aborted, at, connectionError, type ErrorPlace } from '../http/errors.ts'
import type { CallGuard, Interrupt, OpenCall } from '../http/open-call.ts'
import type { TranscriptTemplate } from '../http/transcript.ts'
import type { OpenAIEndpoint } from './endpoints.ts'
import type { ApiRoot } from './openai-options.ts'
import { type Dialect, joinTurns } from './request-body.ts'

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
  /** Names of models whose chat template has refused the roles of a conversation: their turns are joined. */
  readonly strictModels: Set<string>
  /** What its tokenizer takes, once that is known. */
  tokenizer: 'unknown' | 'messages' | 'content'
}

/** What refusals of one request say of how it may be taken. */
export interface Learned {
  readonly dialect?: Partial<Dialect>
  /** The chat template wants joined turns. */
  readonly isStrict?: true
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
  readonly learned: Learned
  /** Its turns were joined, for a template that refuses them as they are. */
  readonly isJoined: boolean
  readonly guard: CallGuard
}

/** The turns as the model's chat template takes them. */
export const turnsFor = (
  { models, strictModels }: Pick<OpenAIContext, 'models' | 'strictModels'>,
  { model, turns }: GenerationRequest,
): readonly Turn[] => (strictModels.has(models.toSend(model) ?? '') ? joinTurns(turns) : turns)

/** One step of the call; throws the `BackendError` of whatever came instead. */
export async function waitFor<Value>(run: Run, promise: Promise<Value>): Promise<Value> {
  const step = await run.guard.wait(promise)
  if (step.as === 'value') return step.value
  if (step.as === 'error') throw connectionError(run.place, step.error, run.call.sent())
  throw interruptError(run, step.interrupt)
}

/** The call is closed on the way out, which stops the server. */
export function interruptError({ call, place }: Run, interrupt: Interrupt, partial?: string): BackendError {
  const stopped = call.sent() ? 'ended' : 'not_sent'
  if (interrupt === 'aborted') return aborted(place, stopped, partial)
  return new BackendError('stalled', `${at(place)} paused for too long between two tokens.`, {
    stopped,
    ...(partial && { partial }),
  })
}

/** Which models the server has, and which name to send. */
export interface ModelNames {
  /** What a look at the server found. */
  learn(names: readonly string[]): void
  /** Undefined: nobody has looked yet. */
  offered(): readonly string[] | undefined
  /** Whether a name is needed and nobody has looked yet. */
  needsLook(wanted: string | undefined): boolean
  /** Undefined: none is known, and the server may have one of its own. */
  toSend(wanted: string | undefined): string | undefined
}

export interface ModelNamesOptions {
  /** Sent where the caller names none. */
  readonly model?: string | undefined
  /** Offered instead of what the server lists. */
  readonly models?: readonly string[] | undefined
}

/**
 * A server with one model takes any name, as KoboldCPP does, so it is sent its own: vLLM would refuse another one.
 * Where there is a choice, the caller's name goes out as it is.
 */
export function createModelNames({ model, models }: ModelNamesOptions): ModelNames {
  let known = models
  const only = () => (known?.length === 1 ? known[0] : undefined)
  return {
    learn(names) {
      known = models ?? names
    },
    offered: () => known,
    needsLook: (wanted) => wanted === undefined && model === undefined && known === undefined,
    toSend(wanted) {
      if (wanted === undefined) return model ?? only()
      return wanted === model ? wanted : (only() ?? wanted)
    },
  }
}
