import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem } from './batch-problem.ts'
import type { InputLine } from './read-lines.ts'

/** `refused`: its own data is wrong. `failed`: it was asked, or could not be. */
export type LineEnd = 'answered' | 'failed' | 'refused'

export interface FinishedLine {
  readonly number: number
  /** 13 hexadecimal digits. */
  readonly hash: string
  readonly end: LineEnd
}

/** No file has more lines. A result with a higher number is not ours. */
export const MAX_LINES = 100_000_000

const HASH_DIGITS = 13

/** Which lines have their result, and how they ended. */
export class FinishedLines {
  /** The hash of each line, as a number: as a text it takes three times the memory. */
  readonly #hashes: Readonly<Record<LineEnd, Map<number, number>>> = {
    answered: new Map(),
    failed: new Map(),
    refused: new Map(),
  }
  #last = 0

  /** An answer goes before a failure, and the later result before the earlier one. */
  note({ number, hash, end }: FinishedLine): void {
    const former = this.#endOf(number)
    if (former === 'answered' && end !== 'answered') return
    if (former !== undefined) this.#hashes[former].delete(number)
    this.#hashes[end].set(number, Number.parseInt(hash, 16))
    this.#last = Math.max(this.#last, number)
  }

  find(number: number): FinishedLine | undefined {
    const end = this.#endOf(number)
    if (end === undefined) return undefined
    const hash = this.#hashes[end].get(number) ?? 0
    return { number, hash: hash.toString(16).padStart(HASH_DIGITS, '0'), end }
  }

  #endOf(number: number): LineEnd | undefined {
    const { answered, failed, refused } = this.#hashes
    if (answered.has(number)) return 'answered'
    if (failed.has(number)) return 'failed'
    return refused.has(number) ? 'refused' : undefined
  }

  get counts(): Readonly<Record<LineEnd, number>> {
    const { answered, failed, refused } = this.#hashes
    return { answered: answered.size, failed: failed.size, refused: refused.size }
  }

  numbers(): number[] {
    return Object.values(this.#hashes).flatMap((hashes) => [...hashes.keys()])
  }

  /** The highest number of a line with a result. */
  get last(): number {
    return this.#last
  }
}

interface Survey {
  /** Lines that are not empty. */
  readonly lines: number
  /** Those that have no result yet. */
  readonly open: number
}

/**
 * Counts the lines, and compares those that have their results: nothing is asked if the input is a different one. With
 * `force`, lines that have changed count as open.
 */
export async function surveyInput(
  input: AsyncIterable<InputLine>,
  { finished, force }: { readonly finished: FinishedLines; readonly force: boolean },
): Promise<Survey> {
  let lines = 0
  let open = 0
  let last = 0
  for await (const line of input) {
    lines += 1
    last = line.number
    const state = stateOf(line, finished)
    if (state === 'changed' && !force) throw changedInput(`Line ${line.number} of the input`)
    if (state !== 'finished') open += 1
  }
  if (finished.last > last && !force)
    throw changedInput(`Line ${finished.last}, which has gone from the input,`)
  return { lines, open }
}

export function stateOf(
  { number, hash }: InputLine,
  finished: FinishedLines,
): 'open' | 'finished' | 'changed' {
  const found = finished.find(number)
  if (found === undefined) return 'open'
  return found.hash === hash ? 'finished' : 'changed'
}

export const changedInput = (what: string): BatchProblem =>
  new BatchProblem(
    `${what} is not the line that the output has a result for: the input has changed. Name another output, start over ` +
      'with --overwrite, or ask the changed lines too and keep their old results with --force. With --retry-failed, a line that failed may change.',
    EXIT.badInput,
  )
