import { parseJson } from '@ai-ticket/core'

/** The last moment that a JavaScript `Date` holds, in the year 275760; later ones cannot be shown. */
export const LATEST_TIME = 8_640_000_000_000_000

/** A time as stores keep it: whole milliseconds from 1970 to `LATEST_TIME`. Throws a `TypeError` for what is no number. */
export function storableTime(ms: number): number {
  if (Number.isNaN(ms)) throw new TypeError('A time of the ticket is not a number; nothing was stored.')
  return clamp(ms)
}

/**
 * A time from a column that somebody else may have written. Clamped, not replaced: compared with the time of today it
 * stands where it stood for the database, so that what a statement found due is due here as well.
 */
export function readTime(stored: unknown): number | undefined {
  const time = stored == null ? Number.NaN : Number(stored)
  return Number.isNaN(time) ? undefined : clamp(time)
}

/** An object from a column with JSON; undefined where there is none, or where it cannot be read. */
export function readObject(stored: unknown): Record<string, unknown> | undefined {
  const value = readJson(stored)
  return isObject(value) ? value : undefined
}

/** The objects of a list from a column with JSON; without those that are none. */
export const readObjects = (stored: unknown): Record<string, unknown>[] => objectsOf(readJson(stored))

export const objectsOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isObject) : []

/** Undefined where the text is no JSON. */
export function readJson(stored: unknown): unknown {
  if (stored == null) return undefined
  try {
    return parseJson(String(stored))
  } catch {
    return undefined
  }
}

const clamp = (ms: number): number => Math.min(Math.max(Math.trunc(ms), 0), LATEST_TIME)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
