export interface BackoffOptions {
  /** Upper limit of the first pause, in milliseconds. Default 500. */
  readonly baseMs?: number
  /** No pause is longer, in milliseconds. Default 8,000. */
  readonly capMs?: number
}

/**
 * The pause before the n-th repeat (1 is the first), in whole milliseconds: exponential with full jitter, so that
 * callers who failed together do not come back together. `random` is a number in [0, 1). A Retry-After of the server
 * goes before this and is not looked at here.
 */
export function backoffMs(
  { repeat, random }: { readonly repeat: number; readonly random: number },
  { baseMs = 500, capMs = 8000 }: BackoffOptions = {},
): number {
  const limitMs = Math.min(capMs, baseMs * 2 ** Math.max(0, repeat - 1))
  return Math.floor(limitMs * random)
}
