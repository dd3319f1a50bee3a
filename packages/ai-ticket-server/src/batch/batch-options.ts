import { resolve } from 'node:path'
import { parseDurationMs, UsageError } from '../program/command-line.ts'

export interface BatchArgs {
  readonly _: readonly string[]
  readonly output?: string | undefined
  readonly errors?: string | undefined
  readonly server?: string | undefined
  readonly concurrency?: string | undefined
  readonly 'retry-failed'?: boolean | undefined
  readonly 'max-failures'?: string | undefined
  readonly patience?: string | undefined
  readonly overwrite?: boolean | undefined
  readonly force?: boolean | undefined
  readonly quiet?: boolean | undefined
  readonly json?: boolean | undefined
}

export interface BatchSettings {
  /** `-`: stdin. */
  readonly input: string
  readonly output: string
  readonly errors: string
  readonly server: string | undefined
  /** Undefined: as many as there are slots. */
  readonly concurrency: number | undefined
  readonly maxFailures: number | undefined
  readonly patienceMs: number
  readonly retryFailed: boolean
  readonly overwrite: boolean
  readonly force: boolean
}

const USE = 'ai-ticket batch in.jsonl -o out.jsonl'
const DEFAULT_PATIENCE = '1h'

/** Throws a `UsageError`. */
export function readBatchArgs(args: BatchArgs): BatchSettings {
  const [input, ...more] = args._
  if (input === undefined || more.length > 0) throw new UsageError(`Name one file of lines: ${USE}`)
  const { output } = args
  if (output === undefined || output === '-')
    throw new UsageError(`-o needs a file, so that a second run sees what is done: ${USE}`)
  const errors = args.errors ?? errorsPathOf(output)
  const paths = [input, output, errors].map((path) => resolve(path))
  if (new Set(paths).size < paths.length)
    throw new UsageError('Input, output and errors must be three files.')
  const patienceMs = parseDurationMs(args.patience ?? DEFAULT_PATIENCE)
  if (patienceMs === undefined) throw new UsageError('--patience needs a time like 30m, 1h or 12h.')
  return {
    input,
    output,
    errors,
    server: args.server === undefined ? undefined : serverOf(args.server),
    concurrency: countOf('--concurrency', args.concurrency),
    maxFailures: countOf('--max-failures', args['max-failures']),
    patienceMs,
    retryFailed: args['retry-failed'] === true,
    overwrite: args.overwrite === true,
    force: args.force === true,
  }
}

/** `out.jsonl` has its errors in `out.errors.jsonl`. */
const errorsPathOf = (output: string): string => `${output.replace(/\.(jsonl|ndjson)$/, '')}.errors.jsonl`

function serverOf(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text.replace(/\/+$/, '')
  throw new UsageError('--server needs an address like http://127.0.0.1:5000.')
}

function countOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new UsageError(`${flag} needs a whole number of at least 1.`)
}
