import { DEFAULTS } from '@ai-ticket/core'
import { servingProblems } from '../config/config.ts'
import { describeOrigin } from '../config/config-problems.ts'
import { configRows } from '../config/show-config.ts'
import { addConfigFlags, addExamples, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'

const EXAMPLES = `
  ai-ticket config show
  ai-ticket config show --origin
`

export const command: CommandModule = {
  configure(command) {
    const show = command.command('show').description('Print every value, with secrets masked')
    show
      .option('--origin', 'Show where each value came from')
      .option('--json', 'Print one JSON object: key → { value, origin }')
    addConfigFlags(show)
    addExamples(show, EXAMPLES)
    addExamples(command, EXAMPLES)
    runs(show, showConfig)
  },
}

interface ShowOptions {
  readonly origin?: boolean
  readonly json?: boolean
}

const showConfig: Run<ShowOptions> = ({ options, flags }) => {
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const unwise = servingProblems(resolved).map(({ message }) => `The server will not start: ${message}`)
  for (const warning of [...resolved.notes, ...resolved.warnings, ...unwise])
    process.stderr.write(`${warning}\n`)
  const rows = configRows(resolved, DEFAULTS)
  if (options.json) {
    const entries = rows.map(({ key, value, origin }) => [key, { value, origin: describeOrigin(origin) }])
    process.stdout.write(`${JSON.stringify(Object.fromEntries(entries))}\n`)
    return EXIT.ok
  }
  for (const { key, value, origin } of rows) {
    process.stdout.write(
      `${key} = ${JSON.stringify(value)}${options.origin ? `  (${describeOrigin(origin)})` : ''}\n`,
    )
  }
  return EXIT.ok
}
