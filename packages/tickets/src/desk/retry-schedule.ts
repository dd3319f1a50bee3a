const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * Pauses before the second, third… run, in milliseconds. The dispatcher repeats over seconds; this is for a box that is
 * switched on again in the morning. About eight hours in all.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
]

/** The pause after so many retries; undefined: no more of them. Up to half of it is chance, so that a crowd parts. */
export function retryDelayMs(
  delays: readonly number[],
  { retries, random, atLeastMs = 0 }: { retries: number; random: number; atLeastMs?: number | undefined },
): number | undefined {
  const delay = delays[retries]
  return delay === undefined ? undefined : Math.max(atLeastMs, Math.round(delay * (1 - random / 2)))
}
