/** `refused`: its own data is wrong. `failed`: it was asked, or could not be. */
export type LineEnd = 'answered' | 'failed' | 'refused'

export interface FinishedLine {
  readonly number: number
  readonly hash: string
  readonly end: LineEnd
}

/** More lines than any file that this is for; a number beyond it is no line of ours. */
export const MAX_LINES = 100_000_000

const ENDS: readonly LineEnd[] = ['answered', 'failed', 'refused']

/** Which lines have their result, in nine bytes a line: a million lines are nine megabytes. */
export function createFinishedLines() {
  let hashes = new Float64Array(1_024)
  let ends = new Uint8Array(1_024)
  let last = 0
  const counts: Record<LineEnd, number> = { answered: 0, failed: 0, refused: 0 }

  function makeRoom(number: number): void {
    if (number < ends.length) return
    const length = Math.max(number + 1, ends.length * 2)
    const [moreHashes, moreEnds] = [new Float64Array(length), new Uint8Array(length)]
    moreHashes.set(hashes)
    moreEnds.set(ends)
    hashes = moreHashes
    ends = moreEnds
  }

  return {
    counts: counts as Readonly<Record<LineEnd, number>>,
    *numbers(): Generator<number> {
      for (let number = 1; number <= last; number++) if (ends[number]) yield number
    },
    /** The highest number of a line with a result. */
    get last() {
      return last
    },
    find(number: number): FinishedLine | undefined {
      const end = ENDS[(ends[number] ?? 0) - 1]
      return end && { number, hash: (hashes[number] ?? 0).toString(16).padStart(13, '0'), end }
    },
    /** An answer goes before a failure, and the later result before the earlier one. */
    note({ number, hash, end }: FinishedLine): void {
      makeRoom(number)
      const former = ENDS[(ends[number] ?? 0) - 1]
      if (former === 'answered' && end !== 'answered') return
      if (former) counts[former] -= 1
      counts[end] += 1
      hashes[number] = Number.parseInt(hash, 16)
      ends[number] = ENDS.indexOf(end) + 1
      last = Math.max(last, number)
    },
  }
}

export type FinishedLines = ReturnType<typeof createFinishedLines>
