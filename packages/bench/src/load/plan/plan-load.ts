import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** How often each kind comes, in parts of the whole. */
export const MIX = {
  short: 40,
  long: 8,
  stream: 17,
  hang_up: 6,
  hang_up_stream: 6,
  bad_input: 8,
  ticket: 15,
} as const

export type Kind = keyof typeof MIX

export const KINDS = Object.keys(MIX) as Kind[]

/** One request to come. */
export interface PlannedRequest {
  /** Counts from 1. */
  readonly number: number
  /** When it is sent, in milliseconds from the start. */
  readonly atMs: number
  readonly kind: Kind
  readonly maxTokens: number
  readonly promptWords: number
  /** When a caller that hangs up does so. */
  readonly hangUpAfterMs: number
  /** From 0 to 1: picks among the variants of its kind. */
  readonly variant: number
}

export interface LoadPlan {
  readonly seed: number
  /** Requests a second, on the average. */
  readonly rate: number
}

/** One arrival in so many is a burst of this many at one moment. */
const BURST = { share: 0.03, least: 8, most: 16 }
const MEAN_GROUP = 1 - BURST.share + (BURST.share * (BURST.least + BURST.most)) / 2

/** From, to: tokens of the answer. */
const TOKENS: Readonly<Record<Kind, readonly [number, number]>> = {
  short: [4, 24],
  long: [120, 300],
  stream: [20, 120],
  hang_up: [200, 400],
  hang_up_stream: [200, 400],
  bad_input: [4, 24],
  ticket: [8, 80],
}

/** Endless. The same seed and rate give the same requests; arrivals are independent of each other (Poisson), or bursts. */
export function* planLoad({ seed, rate }: LoadPlan): Generator<PlannedRequest, never> {
  const generator = xoroshiro128plus(seed)
  const random = () => uniformFloat64(generator)
  const between = (least: number, most: number) => Math.floor(least + random() * (most - least + 1))
  let number = 0
  let atMs = 0
  for (;;) {
    atMs += (-Math.log(1 - random()) * MEAN_GROUP * 1000) / rate
    const group = random() < BURST.share ? between(BURST.least, BURST.most) : 1
    for (let member = 0; member < group; member++) {
      const kind = pickKind(random())
      number += 1
      yield {
        number,
        atMs,
        kind,
        maxTokens: between(...TOKENS[kind]),
        promptWords: kind === 'long' ? between(200, 1500) : between(3, 60),
        hangUpAfterMs: between(1, 150),
        variant: random(),
      }
    }
  }
}

const ALL_PARTS = KINDS.reduce((sum, kind) => sum + MIX[kind], 0)

function pickKind(chance: number): Kind {
  let left = chance * ALL_PARTS
  for (const kind of KINDS) {
    left -= MIX[kind]
    if (left < 0) return kind
  }
  return 'short'
}
