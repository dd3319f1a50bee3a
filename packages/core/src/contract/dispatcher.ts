import type { EventInput, RawEvent } from './event-input.ts'
import type { FailureCode } from './failure.ts'
import type { Reconfiguration } from './options.ts'
import type { DataOutcome, FailureOutcome, Outcome, SuccessOutcome } from './outcome.ts'
import type { DataOf, StandardSchema } from './standard-schema.ts'

/** Options of a call, beside the event itself. */
export interface EventOptions {
  /** Aborting it cancels the event, down to the GPU; `onEvent` then rejects with its reason. */
  signal?: AbortSignal
  /** The caller; the waiting line is fair between callers. Over HTTP: the API key, or else the address. */
  caller?: string
  /** The caller's own name for the event, for instance the id of its ticket: `line` shows it. */
  reference?: string
  /**
   * A name of your own for how the prompt begins, for instance a hash of its instructions: `freeSlots` says which of
   * them a backend is likely to keep. It changes nothing else.
   */
  prefix?: string
  /** Headers handed on to the backend, for instance `traceparent`. */
  headers?: Readonly<Record<string, string>>
  /** What its span says beside what every event's does, for instance the ticket that it is run for. */
  trace?: EventTraceOptions
  /**
   * The prompt is a text to go on with, not a question: endpoints that take one text come first, where it goes in as it
   * stands, without the tags of a chat, and the answer keeps its white space. An answer with a schema is asked for as
   * ever. Default false.
   */
  continues?: boolean
  /**
   * `max_tokens` is the most that the caller takes, not what the answer needs: it is cut to the room that the prompt
   * leaves, and an event without it may have all of that room, or `ceilingMaxTokens`. Default false: `max_tokens` is
   * kept or refused, and an event without it has the desk's `maxTokens`.
   */
  maxTokensIsCeiling?: boolean
  /**
   * The context counts as no larger than this, in tokens, whatever the backend holds. Default: it may be used up. It is
   * for callers who want less read than fits.
   */
  contextLimit?: number
  /**
   * So many characters at the beginning of the last user turn stay where `cut_left` cuts it: what a chat program keeps
   * before its history. Default 0.
   */
  keepsFirst?: number
  /** A conversation with any text or image in it is answered. Default false: there has to be text of a user. */
  takesAnyTurn?: boolean
  /**
   * `streamEvent` yields what an answer with a schema says so far. Default true. False saves the work where nobody looks
   * at it: such an event then yields nothing between `admitted` and its end.
   */
  partials?: boolean
  /**
   * The caller keeps the outcome itself. Called with it once, also where `onEvent` then rejects because its caller has
   * aborted. `onOutcome` hears of it all the same, and is told, so that a history does not keep it twice. What it throws
   * is logged and otherwise ignored.
   */
  record?: (outcome: Outcome) => void
  /** Fields for every log line of this event, for instance `request_id`. */
  logFields?: Readonly<Record<string, unknown>>
  /**
   * The API by which the event came in, for instance `anthropic`: every log line of the event, the observer, the line and
   * `onOutcome` tell it. Default: not said.
   */
  door?: string
  /**
   * The names in an object of another format that the event was made of. The log, and `warnings` of the outcome, name
   * those that look like known ones. Default: none; unknown fields of the event itself are found without it.
   */
  madeOf?: NamesOfObject
  /**
   * What the answer must be: any Standard Schema (valibot, zod 4.2 and newer, arktype). The outcome has its output as
   * `data`, typed. It takes precedence over a `schema` in the event. One that has no JSON Schema is misuse: a TypeError.
   */
  schema?: StandardSchema
  /**
   * Called before each call of a backend; nothing is sent until it has resolved. If you keep what it is given, you can
   * stop the generation later with `Dispatcher.abandon`, also from another process. If it throws, the event ends as
   * `store_unavailable` and nothing is sent.
   */
  beforeCall?: (call: AnnouncedCall) => Promise<void> | void
}

/** Which names an object has, and which are read in it. Of those that are not, the first 32 of up to 40 letters count. */
export interface NamesOfObject {
  /** Names of the fields that are set. */
  readonly given: readonly string[]
  /** Names that its format knows. */
  readonly known: ReadonlySet<string>
}

/** Costs nothing while nothing traces. */
export interface EventTraceOptions {
  /** Attributes of the span of the event. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** A generation that is about to be asked for. */
export interface AnnouncedCall {
  /** The name of the backend. */
  readonly backend: string
  /** The name of its endpoint. */
  readonly endpoint: string
  /** Of this one generation. */
  readonly key: string
}

/** Options with a schema: they give the outcome its type. */
export interface SchemaOptions<Schema extends StandardSchema> extends EventOptions {
  /**
   * What the answer must be; its output is the type of `data`. Misuse if it has no JSON Schema: a
   * TypeError.
   */
  schema: Schema
}

/**
 * What `streamEvent` yields: `admitted` once the event is accepted, deltas as they come, and exactly one `done` or
 * `error` at the end. An event refused at once yields `error` alone. An event with a schema yields `partial` instead of
 * deltas: what the answer says so far, not validated, at most ten times a second; it starts over when the model is asked
 * again.
 */
export type StreamEvent<Data = never> =
  | { readonly type: 'admitted'; readonly id: string }
  | { readonly type: 'delta'; readonly text: string; readonly reasoning?: string }
  | { readonly type: 'partial'; readonly data: [Data] extends [never] ? unknown : DeepPartial<Data> }
  | {
      readonly type: 'done'
      readonly outcome: [Data] extends [never] ? SuccessOutcome : DataOutcome<Data>
    }
  | { readonly type: 'error'; readonly outcome: FailureOutcome }

/** How one backend is. */
export interface BackendHealth {
  /** Its name, as configured. */
  name: string
  /**
   * `busy`: somebody else uses it. `loading`: it was there until just now. `stuck`: an aborted call has not
   * ended.
   */
  state: 'unknown' | 'ready' | 'busy' | 'loading' | 'down' | 'stuck'
  /**
   * Models that it answers for, those included that it loads when they are asked for; empty: none is loaded, or it does
   * not say.
   */
  models: string[]
  /** Of them, those in memory. Absent: it does not load models by itself, or does not say. */
  loaded_models?: string[]
  /** Further names of its models, as configured. Absent: there are none. */
  aliases?: string[]
  /** Of its model, in tokens. Absent: it does not say. */
  context_length?: number
  /** Of the server program. Absent: it does not say. */
  version?: string
  /** Slots of this desk, and how many of them are taken. */
  concurrency: number
  /** Slots that are taken. */
  in_flight: number
  /** Why it is not ready. */
  details?: string
}

/** How the backends are, asked just now. */
export interface Health {
  /** `degraded`: no backend answers, or none could be asked. */
  status: 'healthy' | 'degraded'
  /** All of them, in the order of the options. */
  backends: BackendHealth[]
  /** Events that wait for a slot. */
  waiting: number
}

/** What the desk knows about a backend without asking it. */
export interface BackendReport extends BackendHealth {
  /** `open`: left out after events in a row that it could not serve; `trial`: one event is out to try it. */
  breaker: 'closed' | 'open' | 'trial'
  /** An operator keeps new events from it. `by`: who that was; `since`: ISO 8601. */
  paused?: { since: string; by: string }
  /** Repeats that the retry budget of this backend has left. */
  repeats_left: number
  /** Recent mean of a whole call, in milliseconds. */
  latency_ms?: number
  /** Learned speeds, in tokens per second. */
  prompt_tokens_per_second?: number
  /** Learned speed of writing an answer. */
  completion_tokens_per_second?: number
  /** Learned mean time that it takes to load a model, in milliseconds. Absent: it was not seen to. */
  model_load_ms?: number
}

/** The waiting line. */
export interface LineReport {
  /** Events that wait for a slot. */
  waiting: number
  /** Places that it has: `lineCapacity`. */
  capacity: number
  /** How long the oldest of them has waited, in milliseconds. */
  oldest_ms?: number
  /** When an event that comes now is likely to start, by the speeds learned. */
  eta_seconds?: number
}

/** The state of the desk, as `GET /backends` shows it. */
export interface DeskReport {
  /** All of them, in the order of the options. */
  backends: BackendReport[]
  /** Events that wait for a slot. */
  line: LineReport
}

/** The events that run or wait at a dispatcher, one by one. Times are ISO 8601. */
export interface LineView {
  /** When it was looked at. */
  now: string
  /** Places that the waiting line has: `lineCapacity`. */
  capacity: number
  /** Those that hold a slot. */
  running: RunningEvent[]
  /** Those that wait, in the order in which they are likely to be served. */
  waiting: WaitingEvent[]
  /** How many more wait than are shown. */
  more: number
}

interface InHand {
  /** Names it here, for `inHand`; it is not the id of the event, which its caller gives. */
  hand: string
  event_id: string
  /** What its caller knows it by: `EventOptions.reference`. */
  reference?: string
  caller?: string
  /** The API through which it arrived: `EventOptions.door`. */
  door?: string
  priority: number
  /** When it was accepted. */
  entered_at: string
  deadline_at: string
}

/** An event that holds a slot. */
export interface RunningEvent extends InHand {
  /** The backend that the slot belongs to. */
  backend: string
  /** The endpoint that is called, or that was called last; empty: none yet. */
  endpoint: string
  /** When it got its slot. */
  seated_at: string
  /**
   * `pausing`: before the next call. `stopping`: it has ended, and its backend has not stopped yet. Whether a call that is not
   * streamed is still `reading` is told by the speed learned.
   */
  phase: 'reading' | 'writing' | 'pausing' | 'stopping'
  /** Characters of the answer that have come; 0 where it is not streamed. */
  chars: number
  /** Of this answer so far, estimated from its characters. */
  tokens_per_second?: number
  /** By the speed learned. Absent: none is. */
  ends_in_ms?: number
}

/** An event that waits for a slot. */
export interface WaitingEvent extends InHand {
  /** Those that may serve it. */
  backends: string[]
  /** From 1. */
  position: number
  /** By the speeds learned; null: not known. */
  starts_in_ms: number | null
  /** It is likely to end after its deadline. */
  late: boolean
}

/** One backend, in the hands of an operator. Each method gives back how it is then. */
export interface BackendControl {
  /**
   * No new event goes there; what runs ends. Events that only it may serve wait, until their deadlines. It lasts until
   * `resume`, or until the process ends.
   */
  pause(by: string): BackendReport
  /** Ends the pause. */
  resume(): BackendReport
  /** Asks it now how it is. */
  probe(): Promise<BackendReport>
}

/** One event that runs or waits. */
export interface EventInHand {
  /** The caller; empty if unknown. */
  readonly caller: string
  /** What the caller knows the event by. */
  readonly reference?: string
  /** Ends it as `cancelled`. Resolves when its backend has stopped, or at once where it waits. */
  cancel(): Promise<void>
}

/** What a backend could take on now. */
export interface FreeSlots {
  /** The name of the backend. */
  readonly backend: string
  /** 0 also where it is down, loading or busy with somebody else's work. */
  readonly free: number
  /** Slots that it has in all. */
  readonly concurrency: number
  /**
   * The `prefix` of each prompt that it has read last and is likely to keep, the one used last at the end. Absent: none,
   * or `overtakeMs` is 0.
   */
  readonly warm?: readonly string[]
}

/** How a dispatcher is closed. */
export interface CloseOptions {
  /** How long running and waiting events may go on, in milliseconds; then they end as `shutting_down`. Default 0. */
  drainMs?: number
}

/** What of `EventOptions` matters to a count. */
export type CountOptions = Pick<EventOptions, 'signal' | 'continues' | 'takesAnyTurn'>

/** The tokens of a prompt. */
export interface TokenCount {
  /** Of the whole prompt, without an answer. */
  readonly tokens: number
  /** The tokens could not be counted: the number is estimated from the length of the text. */
  readonly isEstimate: boolean
  /** Of each token, where the prompt is one text to go on with (`continues`) and its backend tells them. */
  readonly ids?: readonly number[]
  /** Never there: it tells the two apart. */
  readonly error?: undefined
}

/** Why there is no count. */
export interface CountFailure {
  /** What `onEvent` would fail with. */
  readonly error: FailureCode
  /** In plain words. */
  readonly details: string
}

/** A configured desk. Made by `createDispatcher`. */
export interface Dispatcher extends AsyncDisposable {
  /**
   * Answers one event: an `EventInput`, or a raw payload of type `unknown`, which is checked when it arrives.
   *
   * Resolves with an Outcome whatever the event holds: `{ completion }`, or `{ error, details }` with a code of
   * `FAILURES`. Rejects only on misuse (a closed dispatcher, a schema without JSON Schema) or, after the caller's own
   * abort, with the caller's reason.
   */
  onEvent<Schema extends StandardSchema, Given = EventInput>(
    event: EventInput | RawEvent<Given>,
    options: SchemaOptions<Schema>,
  ): Promise<DataOutcome<DataOf<Schema>> | FailureOutcome>
  onEvent<Given = EventInput>(event: EventInput | RawEvent<Given>, options?: EventOptions): Promise<Outcome>
  /**
   * The same as `onEvent`, with the deltas of the answer as they come. Leaving the loop early cancels the event. A slow
   * reader slows the backend. Never throws for what the event holds: the stream ends with one `done` or one `error`.
   */
  streamEvent<Schema extends StandardSchema, Given = EventInput>(
    event: EventInput | RawEvent<Given>,
    options: SchemaOptions<Schema>,
  ): AsyncIterable<StreamEvent<DataOf<Schema>>>
  streamEvent<Given = EventInput>(
    event: EventInput | RawEvent<Given>,
    options?: EventOptions,
  ): AsyncIterable<StreamEvent>
  /**
   * How many tokens the prompt of an event has where it would be answered, without answering it. Counted by the first
   * backend that may answer and can count, within 5 s; by none, it is an estimate from the length. An event that is
   * refused gives the failure that `onEvent` would.
   */
  countTokens(event: unknown, options?: CountOptions): Promise<TokenCount | CountFailure>
  /** Slots that an event would get at once, by what is known now; asks no backend. */
  freeSlots(): readonly FreeSlots[]
  /**
   * Stops a generation that was announced to `beforeCall` and whose process has died. Resolves when it is known to be
   * over, or when nothing can be done: the backend is unknown, unreachable, cannot stop by key, or has not stopped after
   * 20 s. Rejects with the reason of the signal where that aborts first.
   */
  abandon(call: Pick<AnnouncedCall, 'backend' | 'key'>, signal?: AbortSignal): Promise<void>
  /** Probes every backend (answers are kept for 2 s). Never throws because a backend is away. */
  health(signal?: AbortSignal): Promise<Health>
  /** Backends, slots, line, speeds and breakers, as they are known now. Asks nobody. */
  report(): DeskReport
  /** Pauses, resumes and probes one backend, by its name. Undefined: there is none of that name. */
  backend(name: string): BackendControl | undefined
  /** The events that run, and the first `limit` (default 200) of those that wait. Asks nobody. */
  line(limit?: number): LineView
  /** One of them, by its `hand`. Undefined: it has ended, or there never was one. */
  inHand(hand: string): EventInHand | undefined
  /**
   * Changes the numbers of the desk, the context policy and the backends, for every event from here on. An event that runs
   * or waits keeps its attempts, pauses, times and generation defaults; line, slots, breakers and retry budgets belong to
   * the desk, and change at once. An event that waits for a removed backend goes to another one, or
   * fails if there is none. A bad value changes nothing: it throws the TypeError of `createDispatcher`, which names the
   * option.
   */
  reconfigure(change: Reconfiguration): void
  /** Stops accepting events, ends those under way, and closes what the dispatcher opened. May be called twice. */
  close(options?: CloseOptions): Promise<void>
}

export interface Delta {
  readonly text: string
  readonly reasoning?: string
}

/** The same with everything optional, at any depth: data that is still being written. */
export type DeepPartial<Data> = Data extends readonly (infer Item)[]
  ? DeepPartial<Item>[]
  : Data extends object
    ? { [Key in keyof Data]?: DeepPartial<Data[Key]> }
    : Data
