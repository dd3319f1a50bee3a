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
  /** References followed. A schema of ten lines may follow them a billion times. */
  references: 100_000,
  /** Characters times instructions of all patterns that are tried; ten million take about half a second. */
  patternSteps: 10_000_000,
  /** Longer strings have none of the named formats: some of those patterns go over a text again and again. */
  formatLength: 2048,
} as const
