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
