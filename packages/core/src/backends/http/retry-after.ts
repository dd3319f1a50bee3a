/** KoboldCPP's `--ratelimit` says its seconds in the text only (1.99 and newer). */
const IN_TEXT = /try again in (\d+(?:\.\d+)?) seconds?/i

/**
 * How long a server asks to wait, in milliseconds: `Retry-After` in seconds or as an HTTP date, else the sentence of
 * KoboldCPP's rate limit. Undefined where it says nothing that can be read.
 */
export function readRetryAfter(
  header: string | null | undefined,
  text: string,
  wallTimeMs: number,
): number | undefined {
  const value = header?.trim()
  if (value) {
    if (/^\d+(\.\d+)?$/.test(value)) return secondsToMs(value)
    // Only HTTP dates carry letters here; Date.parse would read a bare "-5" as a year.
    const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN
    if (!Number.isNaN(date)) return Math.max(0, date - wallTimeMs)
  }
  const seconds = IN_TEXT.exec(text)?.[1]
  return seconds === undefined ? undefined : secondsToMs(seconds)
}

const secondsToMs = (seconds: string): number =>
  Math.min(Math.ceil(Number(seconds) * 1000), Number.MAX_SAFE_INTEGER)

/** OpenAI's own header, in milliseconds, which is more exact than `Retry-After`. */
export function readRetryAfterMs(header: string | null): number | undefined {
  const value = header?.trim() ?? ''
  return /^\d+(\.\d+)?$/.test(value) ? Math.ceil(Number(value)) : undefined
}
