import { hash } from 'node:crypto'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem } from './batch-problem.ts'
import type { FinishedLines } from './finished-lines.ts'
import type { InputLine } from './read-lines.ts'

export interface Survey {
  /** Lines that are not empty. */
  readonly lines: number
  /** Those that have no result yet. */
  readonly open: number
}

/**
 * Counts the lines, and compares those that have their results: nothing is asked where the input is another one. With
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
    `${what} is not what the output has a result for: the input has changed. Name another output, start anew with ` +
      '--overwrite, or ask the changed lines too, and keep what they got, with --force. A line that failed may change: --retry-failed.',
    EXIT.badInput,
  )

/**
 * Remembers ids by 64 bits of their hashes, and the line of each: twelve bytes a place, at most half of the places
 * taken. Among a million ids, two different ones are taken for the same with a chance of 1 in 37 million.
 */
export function createSeenIds() {
  let places = createPlaces(1_024)
  let number = 0

  function grow(): void {
    const former = places
    places = createPlaces(former.lines.length * 2)
    for (const [index, line] of former.lines.entries()) {
      if (line !== 0) put(places, { high: former.highs[index] ?? 0, low: former.lows[index] ?? 0, line })
    }
  }

  return {
    /** The line that has this id already; undefined: none had, and now this one has. */
    add(id: string, line: number): number | undefined {
      if (number * 2 >= places.lines.length) grow()
      const digest = hash('sha256', id, 'buffer')
      const known = put(places, { high: digest.readUInt32LE(0), low: digest.readUInt32LE(4), line })
      if (known === undefined) number += 1
      return known
    },
  }
}

export type SeenIds = ReturnType<typeof createSeenIds>

const createPlaces = (length: number) => ({
  highs: new Uint32Array(length),
  lows: new Uint32Array(length),
  /** 0: free. */
  lines: new Uint32Array(length),
})

function put(
  { highs, lows, lines }: ReturnType<typeof createPlaces>,
  { high, low, line }: { high: number; low: number; line: number },
): number | undefined {
  // The length is a power of two.
  const mask = lines.length - 1
  for (let index = high & mask; ; index = (index + 1) & mask) {
    if (lines[index] === 0) {
      highs[index] = high
      lows[index] = low
      lines[index] = line
      return undefined
    }
    if (highs[index] === high && lows[index] === low) return lines[index]
  }
}
