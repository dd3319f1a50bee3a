/** One whole generation, as far as the server really counted it. */
export interface GenerationSample {
  /** Those that were read: not what the server had kept. */
  readonly promptTokens: number
  readonly completionTokens: number
  /** From the start of the work to its end, in milliseconds; no waiting behind others. */
  readonly durationMs: number
  /** Of streamed calls, on the same scale. */
  readonly firstTokenMs?: number
  /** The limit that was sent: how much of it answers use is learned too. */
  readonly maxTokens?: number
}

/** How fast one backend reads and writes, as far as the desk has seen. A value: learning returns a new one. */
export interface SpeedEstimate {
  readonly observations: number
  /** Fading sums over (x, y) = tokens read and written in one millisecond of an observation. */
  readonly sums: {
    readonly x: number
    readonly y: number
    readonly xx: number
    readonly xy: number
    readonly yy: number
  }
  /** The part of `max_tokens` that answers use; undefined: not seen yet. */
  readonly answerShare: number | undefined
}

/** Milliseconds for a token read (prefill) and a token written (decode). */
export interface TokenTimes {
  readonly readMs: number
  readonly writtenMs: number
}

/** Weight of the newest observation. */
const NEWEST = 0.2
/** Fewer teach nothing: a first call often pays for loading. */
const FEWEST = 3
/** How many times faster reading is than writing, where the calls seen cannot tell the two apart. */
const READING_ADVANTAGE = 10
/** Calls tell the two apart where so much of what they show is not the same mixture. */
const LEAST_INDEPENDENCE = 0.02
/** English text and code on the usual tokenizers; only estimates are built on it. */
const BYTES_PER_TOKEN = 4

export const unknownSpeed: SpeedEstimate = {
  observations: 0,
  sums: { x: 0, y: 0, xx: 0, xy: 0, yy: 0 },
  answerShare: undefined,
}

/** Learns from an end event. A sample without a duration or without tokens is left out. */
export function learnFromCall(estimate: SpeedEstimate, sample: GenerationSample): SpeedEstimate {
  const { promptTokens, completionTokens, durationMs, firstTokenMs, maxTokens } = sample
  const split = firstTokenMs !== undefined && firstTokenMs > 0 && firstTokenMs < durationMs
  const learned = split
    ? observe(
        observe(estimate, promptTokens, 0, firstTokenMs),
        0,
        completionTokens,
        durationMs - firstTokenMs,
      )
    : observe(estimate, promptTokens, completionTokens, durationMs)
  if (learned === estimate || maxTokens === undefined || maxTokens < 1) return learned
  const share = Math.min(1, completionTokens / maxTokens)
  const before = estimate.answerShare ?? share
  return { ...learned, answerShare: before + NEWEST * (share - before) }
}

/**
 * Each observation says: read tokens × readMs + written tokens × writtenMs = duration. Divided by the duration all
 * weigh the same, so that one long call does not outvote a hundred short ones.
 */
function observe(estimate: SpeedEstimate, read: number, written: number, durationMs: number): SpeedEstimate {
  const x = read / durationMs
  const y = written / durationMs
  if (!Number.isFinite(x + y) || x < 0 || y < 0 || x + y === 0) return estimate
  const { sums, observations } = estimate
  const keep = 1 - NEWEST
  return {
    ...estimate,
    observations: observations + 1,
    sums: {
      x: keep * sums.x + x,
      y: keep * sums.y + y,
      xx: keep * sums.xx + x * x,
      xy: keep * sums.xy + x * y,
      yy: keep * sums.yy + y * y,
    },
  }
}

/** Before anything was seen: a small box. Orders are built on it, no promise is. */
const UNSEEN: TokenTimes = { readMs: 2, writtenMs: 20 }

/** The same from whatever was seen, however little. */
export const roughTimes = (estimate: SpeedEstimate): TokenTimes => tokenTimes(estimate, 1) ?? UNSEEN

/** Undefined until enough was seen. */
export function tokenTimes(
  { observations, sums }: SpeedEstimate,
  fewest: number = FEWEST,
): TokenTimes | undefined {
  if (observations < fewest) return undefined
  const { x, y, xx, xy, yy } = sums
  const determinant = xx * yy - xy * xy
  if (determinant > LEAST_INDEPENDENCE * xx * yy) {
    const readMs = (x * yy - y * xy) / determinant
    const writtenMs = (y * xx - x * xy) / determinant
    if (readMs > 0 && writtenMs > 0) return { readMs, writtenMs }
  }
  // Always the same mixture, or noise: one unknown is left when the ratio of the two is taken as given.
  const ratio = 1 / READING_ADVANTAGE
  const writtenMs = (ratio * x + y) / (ratio * ratio * xx + 2 * ratio * xy + yy)
  return { readMs: ratio * writtenMs, writtenMs }
}

/** Estimates the tokens of a prompt from its length in UTF-8 bytes. */
export const likelyTokens = (bytes: number): number => Math.ceil(bytes / BYTES_PER_TOKEN)

/** How long a generation is likely to take, in milliseconds; undefined: no speed is learned yet. */
export function estimateMs(
  estimate: SpeedEstimate,
  { promptTokens, maxTokens }: { readonly promptTokens: number; readonly maxTokens: number },
  times: TokenTimes | undefined = tokenTimes(estimate),
): number | undefined {
  if (times === undefined) return undefined
  return promptTokens * times.readMs + maxTokens * (estimate.answerShare ?? 1) * times.writtenMs
}

/** A call that took so many times what was expected did something else, too, such as waiting inside the server. */
const MOST_SLOWNESS = 2

/**
 * Parts the time of a whole call into reading and writing, in milliseconds. Undefined: no speed is learned yet, or the
 * call took so long that the speed does not explain it.
 */
export function partCall(
  estimate: SpeedEstimate,
  { promptTokens, completionTokens, durationMs }: GenerationSample,
): { readonly promptMs: number; readonly completionMs: number } | undefined {
  const times = tokenTimes(estimate)
  if (times === undefined) return undefined
  const readMs = promptTokens * times.readMs
  const workMs = readMs + completionTokens * times.writtenMs
  if (workMs <= 0 || durationMs > MOST_SLOWNESS * workMs) return undefined
  const promptMs = (durationMs * readMs) / workMs
  return { promptMs, completionMs: durationMs - promptMs }
}
