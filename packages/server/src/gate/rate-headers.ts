import { burstOf, costMsOf, type RateLimit, type RateStanding } from './rate-limit.ts'

/**
 * `RateLimit-Policy` and `RateLimit`, structured fields of the draft ietf-httpapi-ratelimit-headers. The policy says the
 * same as the limit in other words: its whole burst comes back in `w` seconds.
 */
export function rateHeaders(limit: RateLimit, { remaining, nextInMs }: RateStanding): Record<string, string> {
  const quota = burstOf(limit)
  return {
    'ratelimit-policy': `"requests";q=${quota};w=${seconds(quota * costMsOf(limit))}`,
    ratelimit: `"requests";r=${remaining};t=${seconds(nextInMs)}`,
  }
}

/** What OpenAI's clients look for. */
export function openAiRateHeaders(
  limit: RateLimit,
  { remaining, fullInMs }: RateStanding,
): Record<string, string> {
  return {
    'x-ratelimit-limit-requests': String(burstOf(limit)),
    'x-ratelimit-remaining-requests': String(remaining),
    'x-ratelimit-reset-requests': goDuration(fullInMs),
  }
}

/** Rounded up: who comes back too early is refused again. */
const seconds = (timeMs: number): number => Math.max(1, Math.ceil(timeMs / 1_000))

/** As OpenAI writes it: `120ms`, `7s`, `6m0s`, `1h0m0s`. */
export function goDuration(timeMs: number): string {
  if (timeMs < 1_000) return `${Math.ceil(timeMs)}ms`
  const all = Math.ceil(timeMs / 1_000)
  const [hours, minutes] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60]
  return `${hours > 0 ? `${hours}h` : ''}${all >= 60 ? `${minutes}m` : ''}${all % 60}s`
}
