import { UsageError } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { exitWhenWritten } from './exit-when-written.ts'

/**
 * Runs a program on the command line and exits with the code that it gives; with undefined it goes on and exits by
 * itself.
 */
export function runAsMain(main: (rawArgs: string[]) => Promise<number | undefined>): void {
  // `… | head` closes the pipe; without a listener Node would end the program with a stack trace.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  main(process.argv.slice(2)).then(
    (code) => code !== undefined && exitWhenWritten(code),
    (error: unknown) => {
      const expected = error instanceof UsageError
      process.stderr.write(`${expected ? error.message : describe(error)}\n`)
      exitWhenWritten(expected ? EXIT.usage : EXIT.internal)
    },
  )
}

const describe = (error: unknown): string => String(error instanceof Error ? error.stack : error)
