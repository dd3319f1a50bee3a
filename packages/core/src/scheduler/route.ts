import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import { admits, type BackendStatus, isOnTrial, isOpen, stateAt } from './backend-state.ts'

/** What routing knows of a backend. */
export interface RoutableBackend {
  readonly name: string
  /** Configured names, each with the model's name on the server. */
  readonly aliases: Readonly<Record<string, string>>
  /** Names that the last answered probe reported; empty: none was loaded, it does not say, or never answered. */
  readonly models: readonly string[]
  /** A probe was tried, answered or not. */
  readonly probed: boolean
  readonly status: BackendStatus
  /** An operator keeps new events from it. Default: false. */
  readonly isPaused?: boolean
  readonly inFlight: number
  readonly concurrency: number
  /** A recent mean of the whole calls, in milliseconds; undefined: none was seen. */
  readonly recentLatencyMs: number | undefined
}

export type Route<B extends RoutableBackend = RoutableBackend> =
  | {
      readonly kind: 'candidates'
      /**
       * Worth sending to, or waiting for, in order of preference. None: every allowed backend is open and has its trial
       * out; the event waits for any of `allowed`.
       */
      readonly candidates: readonly B[]
      /** All that the event's names allow, whatever their state: what a waiter waits for. */
      readonly allowed: readonly B[]
    }
  /** No verdict before these have been probed. */
  | { readonly kind: 'needs_probe'; readonly backends: readonly B[] }

export interface RouteRequest<B extends RoutableBackend = RoutableBackend> {
  readonly backends: readonly B[]
  readonly event: { readonly backend?: string | undefined; readonly model?: string | undefined }
  readonly now: number
}

/**
 * Which backends may answer an event, best first. Pure; the same answer for the same arguments.
 * Failure: `not_found`, for a `backend` that is not configured or, where there is a choice, an unknown `model`.
 */
export function route<B extends RoutableBackend>({
  backends,
  event,
  now,
}: RouteRequest<B>): Result<Route<B>> {
  const named = backends.filter(({ name }) => event.backend === undefined || name === event.backend)
  if (named.length === 0) return failure(unknownBackend(backends))
  const found = event.model === undefined ? success(named) : serving(event.model, named, backends)
  if (!found.ok) return found
  if ('needsProbe' in found.value) return success({ kind: 'needs_probe', backends: found.value.needsProbe })
  const allowed = found.value
  return success({ kind: 'candidates', candidates: inOrder(allowed, now), allowed })
}

/** What to call the model on this backend; undefined: whatever is loaded there. */
export function modelOn(
  { aliases, models }: Pick<RoutableBackend, 'aliases' | 'models'>,
  model: string | undefined,
): string | undefined {
  if (model === undefined || bare(model) === 'default') return undefined
  const alias = Object.hasOwn(aliases, model) ? aliases[model] : undefined
  return alias ?? models.find((name) => bare(name) === bare(model)) ?? model
}

/** KoboldCPP puts this before every name of a model, and Ollama that behind it; callers may or may not. */
const bare = (model: string) => model.replace(/^koboldcpp\//, '').replace(/:latest$/, '')

/** Whether both names mean one model. */
export const sameModel = (one: string, other: string): boolean => one === other || bare(one) === bare(other)

type Pool = readonly RoutableBackend[]

function serving<B extends RoutableBackend>(
  model: string,
  named: readonly B[],
  all: readonly B[],
): Result<readonly B[] | { readonly needsProbe: readonly B[] }> {
  if (bare(model) === 'default' || all.length === 1) return success(named)
  const matching = named.filter((backend) => namesOf(backend).includes(bare(model)))
  if (matching.length > 0) return success(matching)
  const needsProbe = all.filter(({ probed }) => !probed)
  if (needsProbe.length > 0) return success({ needsProbe })
  if (servedModels(all).size <= 1) return success(named)
  // A backend that has not listed its models yet may have this one: a box that is off is no reason to call a name unknown.
  const silent = named.filter((backend) => backend.status.heardAt === undefined)
  return silent.length > 0 ? success(silent) : failure(unknownModel(named))
}

/** All names, bare, that mean this backend's model. */
function namesOf({ aliases, models }: RoutableBackend): string[] {
  return [...Object.keys(aliases), ...Object.values(aliases), ...models].map(bare)
}

/**
 * The different models that the desk serves, as far as the backends have told. One that never answered is left out:
 * else a single box that is off would make every made-up name, which most OpenAI clients send, unknown.
 */
function servedModels(all: Pool): Set<string> {
  return new Set(
    all.flatMap(({ aliases, models }) => (models.length > 0 ? models : Object.values(aliases)).map(bare)),
  )
}

/** Best first; what cannot be used at all is left out. */
function inOrder<B extends RoutableBackend>(allowed: readonly B[], now: number): B[] {
  const ranked = allowed
    .map((backend) => ({ backend, rank: rankOf(backend, now) }))
    .sort((one, other) => one.rank - other.rank || byLoad(one.backend, other.backend))
  const ready = ranked.some(({ rank }) => rank <= RANKS.busy)
  const useful = ranked.filter(({ rank }) => rank < RANKS.loading || (rank === RANKS.loading && !ready))
  if (useful.length > 0) return useful.map(({ backend }) => backend)
  // All are open: waiting for the pause to end would help nobody.
  return ranked.filter(({ backend }) => !isOnTrial(backend.status)).map(({ backend }) => backend)
}

/**
 * Lower is better. One that is due for a trial comes after all that may simply be used: its event may have to pay a
 * connect timeout, which is worth it only where there is nothing better to do than wait.
 */
const RANKS = {
  ready: 0,
  busy: 1,
  unknown: 2,
  stuck: 3,
  trial: 4,
  down: 5,
  loading: 6,
  open: 7,
  paused: 8,
} as const

function rankOf(backend: RoutableBackend, now: number): number {
  if (backend.isPaused) return RANKS.paused
  const state = stateAt(backend.status, now, backend)
  if (!isOpen(backend.status)) return RANKS[state]
  if (admits(backend.status, now) === 'trial') return RANKS.trial
  return state === 'loading' ? RANKS.loading : RANKS.open
}

/** Fewest in flight per slot, then lowest latency; one that was never measured gets its chance first. */
function byLoad(one: RoutableBackend, other: RoutableBackend): number {
  return (
    one.inFlight / one.concurrency - other.inFlight / other.concurrency ||
    (one.recentLatencyMs ?? 0) - (other.recentLatencyMs ?? 0)
  )
}

function unknownBackend(all: Pool): Failure {
  const names = all.map(({ name }) => name).join(', ')
  return { code: 'not_found', details: `No backend has the name in \`backend\`. Known: ${names}.` }
}

function unknownModel(named: Pool): Failure {
  const names = new Set(named.flatMap(({ aliases, models }) => [...Object.keys(aliases), ...models]))
  const known = [...names, 'default'].join(', ')
  return { code: 'not_found', details: `No backend serves the model in \`model\`. Known: ${known}.` }
}
