import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem } from './batch-problem.ts'
import type { FinishedLines } from './finished-lines.ts'
import type { InputLine } from './read-lines.ts'

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
