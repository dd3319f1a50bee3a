import { resolve } from 'node:path'
import { UsageError } from '../program/command-line.ts'

/** As the command line has them. */
export interface BatchFlags {
  readonly output?: string | undefined
  readonly errors?: string
  readonly concurrency?: number
  readonly retryFailed?: boolean
  readonly maxFailures?: number
  readonly patience?: number
  readonly overwrite?: boolean
  readonly force?: boolean
  readonly quiet?: boolean
  readonly json?: boolean
}

export interface BatchSettings {
  /** `-`: stdin. */
  readonly input: string
  readonly output: string
  readonly errors: string
  /** Undefined: as many as there are slots. */
  readonly concurrency: number | undefined
  readonly maxFailures: number | undefined
  readonly patienceMs: number
  readonly retryFailed: boolean
  readonly overwrite: boolean
  readonly force: boolean
  readonly quiet: boolean
  readonly json: boolean
}

const USE = 'ai-ticket batch in.jsonl -o out.jsonl'
const DEFAULT_PATIENCE_MS = 3_600_000

/** Throws a `UsageError`. */
export function readBatchFlags(
  flags: BatchFlags,
  words: readonly string[],
  stdinIsTerminal: boolean,
): BatchSettings {
  const [input = '-'] = words
  if (input === '-' && stdinIsTerminal) throw new UsageError(`Name a file of lines: ${USE}`)
  const { output } = flags
  if (output === undefined || output === '' || output === '-')
    throw new UsageError(`-o needs a file, so that a second run sees what is done: ${USE}`)
  const errors = flags.errors ?? errorsPathOf(output)
  if (errors === '' || errors === '-')
    throw new UsageError('--errors needs a file, like --errors failed.jsonl')
  const paths = [input, output, errors].map((path) => resolve(path))
  if (new Set(paths).size < paths.length)
    throw new UsageError('Input, output and errors must be three files.')
  return {
    input,
    output,
    errors,
    concurrency: flags.concurrency,
    maxFailures: flags.maxFailures,
    patienceMs: flags.patience ?? DEFAULT_PATIENCE_MS,
    retryFailed: flags.retryFailed === true,
    overwrite: flags.overwrite === true,
    force: flags.force === true,
    quiet: flags.quiet === true,
    json: flags.json === true,
  }
}

/** `out.jsonl` has its errors in `out.errors.jsonl`. */
const errorsPathOf = (output: string): string => `${output.replace(/\.(jsonl|ndjson)$/, '')}.errors.jsonl`
