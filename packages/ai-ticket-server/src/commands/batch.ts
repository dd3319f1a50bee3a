import { systemClock } from '@ai-ticket/core'
import { type BatchArgs, readBatchArgs } from '../batch/batch-options.ts'
import { BatchProblem } from '../batch/batch-problem.ts'
import { CONFIG_ARGS, cliCommand } from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { type EndSignal, EXIT_OF_SIGNAL, endOnSignals, hideSqliteWarning } from '../program/process.ts'

const EXAMPLES = `
  ai-ticket batch events.jsonl -o answers.jsonl
  ai-ticket batch events.jsonl -o answers.jsonl --server http://127.0.0.1:5000
  ai-ticket batch events.jsonl -o answers.jsonl --retry-failed
  zcat events.jsonl.gz | ai-ticket batch - -o answers.jsonl
`

export const command = cliCommand(
  {
    meta: {
      name: 'batch',
      description:
        'Ask once for every line of a file; run the same command again to continue where it stopped',
    },
    args: {
      input: {
        type: 'positional',
        description: 'Events or lines of an OpenAI batch file, one JSON a line; "-" reads stdin',
        required: false,
      },
      output: {
        type: 'string',
        alias: 'o',
        valueHint: 'file',
        description: 'File for the answers, written as they come',
      },
      errors: {
        type: 'string',
        valueHint: 'file',
        description: 'File for the failures; default: out.errors.jsonl',
      },
      server: {
        type: 'string',
        valueHint: 'url',
        description: 'Ask this AI Ticket server; default: ask the configured backends from here',
      },
      concurrency: {
        type: 'string',
        valueHint: 'number',
        description: 'Lines to ask at once; default: all slots',
      },
      'retry-failed': { type: 'boolean', description: 'Ask lines that failed in an earlier run again' },
      'max-failures': {
        type: 'string',
        valueHint: 'number',
        description: 'Stop after this many failed lines',
      },
      patience: {
        type: 'string',
        valueHint: '1h',
        description: 'How long to wait for a backend that is away; default 1h',
      },
      overwrite: { type: 'boolean', description: 'Delete earlier results and start over' },
      force: {
        type: 'boolean',
        description: 'Continue even if lines of the input have changed, and ask those too',
      },
      quiet: { type: 'boolean', alias: 'q', description: 'Show no progress' },
      json: { type: 'boolean', description: 'Print the summary as one JSON object' },
      ...CONFIG_ARGS,
      help: { type: 'boolean', alias: 'h', description: 'Show this help' },
    },
    async run({ args, rawArgs }) {
      const settings = readBatchArgs(args as BatchArgs)
      if (settings.input === '-' && process.stdin.isTTY) {
        process.stdout.write(await command.help('ai-ticket'))
        return EXIT.usage
      }
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
      const { performBatch } = await import('../batch/batch.ts')
      try {
        const resume = resumeCommand(rawArgs)
        const exitCode = await performBatch({
          settings,
          args,
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
    },
  },
  EXAMPLES,
)

/** The words of this command again, for a shell. */
export const resumeCommand = (rawArgs: readonly string[]): string =>
  ['ai-ticket batch', ...rawArgs.filter((word) => word !== '--overwrite').map(quote)].join(' ')

const quote = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
