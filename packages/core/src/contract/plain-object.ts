import * as v from 'valibot'

/** An object that is no list; valibot's own object and record take lists too. */
export const plainObject = v.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
)
