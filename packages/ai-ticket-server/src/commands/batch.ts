import { systemClock } from '@ai-ticket/core'
import { type BatchFlags, readBatchFlags } from '../batch/batch-options.ts'
import { BatchProblem } from '../batch/batch-problem.ts'
import {
  addAskFlags,
  addExamples,
  type CommandModule,
  type Run,
  readConcurrency,
  readCount,
  readDuration,
  runs,
} from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { type EndSignal, EXIT_OF_SIGNAL, endOnSignals, hideSqliteWarning } from '../program/process.ts'
import { readConfig } from '../program/read-config.ts'

const EXAMPLES = `
  ai-ticket batch events.jsonl -o answers.jsonl
  ai-ticket batch events.jsonl -o answers.jsonl --server http://127.0.0.1:5000
  ai-ticket batch events.jsonl -o answers.jsonl --retry-failed
  zcat events.jsonl.gz | ai-ticket batch -o answers.jsonl
`

export const command: CommandModule = {
  configure(command) {
    command
      .argument(
        '[input]',
        'Events or lines of an OpenAI batch file, one JSON a line; "-", or nothing where stdin is no terminal, reads stdin',
      )
      .option('-o, --output <file>', 'File for the answers, written as they come')
      .option('--errors <file>', 'File for the failures; default: out.errors.jsonl')
      .option('--concurrency <number>', 'Lines to ask at once; default: all slots', readConcurrency)
      .option('--retry-failed', 'Ask lines that failed in an earlier run again')
      .option('--max-failures <number>', 'Stop after this many failed lines', readCount)
      .option('--patience <time>', 'How long to wait for a backend that is away; default 1h', readDuration)
      .option('--overwrite', 'Delete earlier results and start over')
      .option('--force', 'Continue even if lines of the input have changed, and ask those too')
      .option('-q, --quiet', 'Show no progress')
      .option('--json', 'Print the summary as one JSON object')
    addAskFlags(command)
    addExamples(command, EXAMPLES)
    runs(command, runBatch)
  },
}

const runBatch: Run<BatchFlags> = async ({ options, words, flags }) => {
  const settings = readBatchFlags(options, words, process.stdin.isTTY === true)
  const stopping = new AbortController()
  const leaving = new AbortController()
  const ended = Promise.withResolvers<void>()
  let signalled: EndSignal | undefined
  endOnSignals(
    (signal) => {
      signalled = signal
      stopping.abort()
    },
    () => {
      leaving.abort()
      return ended.promise
    },
  )
  // On Node 22, importing it earlier would warn at every command.
  hideSqliteWarning()
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const { performBatch } = await import('../batch/batch.ts')
  try {
    const resume = resumeCommand(process.argv.slice(2))
    const exitCode = await performBatch({
      settings,
      resolved,
      signal: stopping.signal,
      leaving: leaving.signal,
      clock: systemClock,
      resume,
    })
    return signalled === undefined ? exitCode : EXIT_OF_SIGNAL[signalled]
  } catch (error) {
    if (!(error instanceof BatchProblem)) throw error
    if (error.message !== '') process.stderr.write(`${error.message}\n`)
    return error.exitCode
  } finally {
    ended.resolve()
  }
}

/** The words of this command again, for a shell. */
export const resumeCommand = (commandLine: readonly string[]): string =>
  ['ai-ticket', ...commandLine.filter((word) => word !== '--overwrite').map(quote)].join(' ')

const quote = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
