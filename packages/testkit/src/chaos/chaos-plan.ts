/** Who is asked: the kind of backend, and the one endpoint that is there. */
export interface ChaosTarget {
  /** For `createOpenAIBackend` or `createKoboldBackend`. */
  readonly backend: 'openai' | 'kobold'
  /** All others are 404. */
  readonly endpoint: 'chat' | 'text' | 'native'
  /** The caller wants the text as it comes. */
  readonly streams: boolean
}

/** What the server does with a call of the endpoint. */
export interface ChaosReply {
  /** Of HTTP. */
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Replies of the kind 1xx in front of the real one. Over sockets only. */
  readonly informational: readonly number[]
  /** Names of compressions, in the order in which they were made. Over sockets only. */
  readonly compression: readonly string[]
  /** Milliseconds of silence before the head. */
  readonly headAfterMs: number
  /** The body. */
  readonly steps: readonly ChaosStep[]
  /** Bytes at its end that never come, after compression. Over sockets only. */
  readonly lostBytes?: number
  /** How it ends: in good order, broken off, with less than was announced, or never. `unheard`: without a head. */
  readonly end: 'close' | 'reset' | 'short' | 'open' | 'unheard'
}

/** A piece of the body, so long after the one before. */
export interface ChaosStep {
  /** Milliseconds since the piece before, or since the head. */
  readonly afterMs: number
  /** As they are, before any compression. */
  readonly bytes: Uint8Array
}

/** What the server meant to say, and how far it came. Written from what is known of servers, not from any reader. */
export interface ChaosTruth {
  /** `either`: nobody can tell from the outside, so both are right; a success still has to be this one. */
  readonly ends: 'answer' | 'failure' | 'either'
  /** The whole answer, without its thoughts. */
  readonly text: string
  /** What the model thought; empty: nothing. */
  readonly reasoning: string
  /** Tools that it asks for; empty: none. */
  readonly toolCalls: readonly ChaosToolCall[]
  /** Undefined: counts may be read or not, as late ones. */
  readonly usage: ChaosUsage | null | undefined
  /** Names that the finish reason may have. */
  readonly finish: readonly string[]
  /** Codes that a failure may have. */
  readonly codes: readonly string[]
  /** Calls of the endpoint that a caller's event may cost. */
  readonly mostCalls: number
  /** One call may hand on more than the next before it breaks. */
  readonly mayLose?: boolean
}

/** A tool that the server asks for. */
export interface ChaosToolCall {
  /** Of the tool. */
  readonly name: string
  /** JSON, as a text. */
  readonly arguments: string
}

/** Counts that the server reports, in tokens. */
export interface ChaosUsage {
  /** Of the prompt. */
  readonly prompt_tokens: number
  /** Of the answer. */
  readonly completion_tokens: number
}

/** What one server does to one event. A pure value: the same seed makes the same plan. */
export interface ChaosPlan extends ChaosTarget {
  /** What it was made of. */
  readonly seed: number
  /** For the event. */
  readonly maxTokens: number
  /** How long the event has, in milliseconds. */
  readonly timeoutMs: number
  /** What its first call meets instead, where that is another failure. */
  readonly first: ChaosReply | undefined
  /** What each call meets, except a `first` one. */
  readonly reply: ChaosReply
  /** What the server says of itself beside its idleness: counters of a generation long past, of none, or nothing. */
  readonly perf: object | undefined
  /** What a caller may be told. */
  readonly truth: ChaosTruth
  /** The choices in words. */
  readonly notes: readonly string[]
}

export const MAX_TOKENS = 64

export interface PlanContext {
  readonly choice: Choice
  readonly target: ChaosTarget
  /** Pauses of seconds and minutes, for a virtual clock. */
  readonly pauses: boolean
}

export interface Exchange {
  readonly timeoutMs?: number
  readonly reply: ChaosReply
  readonly truth: ChaosTruth
}

/** Seeded chance that keeps a note of what it chose. */
export interface Choice {
  /** A number from 0 to 1. */
  next(): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
  /** True in this share of all cases, from 0 to 1. */
  happens(share: number): boolean
  /** One of the values, each as likely as the others. */
  pick<Value>(values: readonly Value[]): Value
  /** Picks one of several ways by its name, and notes it. */
  way<Name extends string>(what: string, names: readonly Name[]): Name
  /** Adds to `notes`. */
  note(text: string): void
  /** What was chosen so far, in words. */
  readonly notes: readonly string[]
}

/** mulberry32 by Tommy Ettinger, public domain. */
export function createChoice(seed: number): Choice {
  const notes: string[] = []
  // Neighbouring seeds begin alike without it.
  let state = Math.imul(seed, 0x9e3779b1) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  const pick = <Value>(values: readonly Value[]): Value => values[between(0, values.length - 1)] as Value
  return {
    next,
    between,
    pick,
    happens: (share) => next() < share,
    way(what, names) {
      const name = pick(names)
      notes.push(`${what}: ${name}`)
      return name
    },
    note: (text) => notes.push(text),
    notes,
  }
}
