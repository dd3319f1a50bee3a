import type { Rounds } from '../numbers/in-turns.ts'
import { type Spread, spreadOf } from '../numbers/statistics.ts'
import type { Throughput } from './measure-throughput.ts'

/** Memory of one server, in MB. */
export interface Memory {
  readonly idle: number
  readonly afterLoad: number
}

/** All that was measured, as it came. Times in milliseconds. */
export interface Figures {
  readonly throughput: Rounds<Throughput>
  /** The same with a backend that closes every connection, as KoboldCPP does. Absent in a quick run. */
  readonly closingThroughput?: Rounds<Throughput>
  readonly latencyMs: Rounds<number>
  readonly firstTokenMs: Rounds<number>
  readonly startMs: Rounds<number>
  readonly memory: Readonly<Record<string, Memory>>
  readonly importCoreMs: readonly number[]
}

/** Each round of one against the same round of another. Undefined where one of them was not measured. */
export function compare<Score>(
  rounds: Rounds<Score>,
  names: { readonly of: string; readonly with: string },
  relate: (score: Score, other: Score) => number,
): Spread | undefined {
  const scores = rounds[names.of]
  const others = rounds[names.with]
  if (!scores || !others) return undefined
  const related = scores.flatMap((score, round) => {
    const other = others[round]
    return other === undefined ? [] : [relate(score, other)]
  })
  return spreadOf(related)
}

export const speedRatio = (score: Throughput, other: Throughput): number =>
  score.requestsPerSecond / other.requestsPerSecond

/** How many times less processor time it takes. */
export const costRatio = (score: Throughput, other: Throughput): number =>
  other.processorMicros / score.processorMicros

export const ratio = (score: number, other: number): number => score / other

export const difference = (score: number, other: number): number => score - other
