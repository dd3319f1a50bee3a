import type { GenerationEnd } from '../contract/backend.ts'
import type { Clock } from '../contract/clock.ts'
import type { Failure } from '../contract/failure.ts'
import type { SchemaError } from '../contract/outcome.ts'
import type { Turn } from '../contract/prompt.ts'
import type { JsonSchema } from '../contract/standard-schema.ts'

/** What a value is worth: the data that a program gets, or what is wrong with it. */
export type Verdict =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** A rule that a value breaks. The message goes to the model, whose own words it may hold, and nowhere else. */
export interface Problem extends SchemaError {
  readonly message: string
}

/** All that is judged of one answer, drafts and examples in it included, spends from one purse. */
export type Validate = (value: unknown, purse: Purse) => Verdict | Promise<Verdict>

/** What checking one answer has cost so far. */
export interface Purse {
  steps: number
}

/** An answer, held against its schema. */
export type CheckedAnswer =
  | {
      readonly ok: true
      readonly data: unknown
      /** The JSON alone. */
      readonly text: string
      /** The whole answer was that JSON: what a server that enforces a schema sends. */
      readonly isBare: boolean
      /** The JSON was broken and had to be mended. */
      readonly isMended: boolean
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** The text ended in the middle of its JSON: asking again would end there, too. */
      readonly isCutOff: boolean
      /** It ended within its thoughts. */
      readonly isThinking?: true
    }

/** The schema of an event's answer, ready for use. */
export interface AnswerSchema {
  readonly schema: JsonSchema
  /** Endpoints (`backend/endpoint`) that refused this schema. */
  readonly refusedBy: Set<string>
  check(end: GenerationEnd): Promise<CheckedAnswer>
  /** The conversation, with the schema's short form in its system turn. */
  describe(turns: readonly Turn[]): Turn[]
  /** What follows a wrong answer: itself and a user turn that says what is wrong with it. */
  repairTurns(text: string, problems: readonly Problem[]): Turn[]
  /** Reads an answer as it comes. */
  readPartial(onPartial: (data: unknown) => Promise<void> | undefined, clock: Clock): PartialReader
}

export interface PartialReader {
  /** Resolves when the next piece may come. */
  push(text: string): Promise<void>
  close(): void
}

/** The JSON of a schema. Undefined: it has none, because it is a circle, holds what JSON does not know, or throws. */
export function writeSchema(schema: JsonSchema): string | undefined {
  try {
    return JSON.stringify(schema)
  } catch {
    return undefined
  }
}

export const UNWRITABLE: Failure = {
  code: 'invalid_input_format',
  details: '`schema` cannot be written as JSON: it holds itself, or a value that JSON does not know.',
}

/** Bounds of a JSON Schema that a caller sends. */
export const SCHEMA_LIMITS = {
  /** Characters of its JSON. */
  length: 64 * 1024,
  /** Schemas within schemas. */
  depth: 32,
  /** Schemas in all: a validator is made of each, once, and that takes about 0.1 ms. */
  subschemas: 500,
  patternLength: 512,
} as const

/** Bounds of the answer that is checked, so that no schema makes checking it endless. */
export const ANSWER_LIMITS = {
  /** Characters. */
  length: 1024 * 1024,
  /** Lists and objects within each other; deeper ones overflow the stack of JSON.stringify in callers. */
  depth: 64,
  /** Steps of checking it, as `check-budget.ts` counts them; ten million take about half a second. */
  steps: 10_000_000,
  /** Of these, the most that finding every fault may take, once there is one. */
  stepsToExplain: 100_000,
  /** Rules it breaks, of those that are told; the others only count as more. */
  problems: 100,
  /** Longer strings have none of the named formats: some of those patterns go over a text again and again. */
  formatLength: 2048,
} as const
