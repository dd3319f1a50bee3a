import { DEFAULTS } from '@ai-ticket/core'
import { loadConfig, servingProblems } from '../config/config.ts'
import { configRows } from '../config/show-config.ts'
import { CONFIG_ARGS, cliCommand, configFlags, UsageError } from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'

const EXAMPLES = `
  ai-ticket config show
  ai-ticket config show --origin
`

export const command = cliCommand(
  {
    meta: {
      name: 'config',
      description: 'Show the configuration, or what is wrong with it; secrets are masked',
    },
    args: {
      action: { type: 'positional', description: 'show', required: false },
      origin: { type: 'boolean', description: 'Show where each value came from' },
      json: { type: 'boolean', description: 'Print one JSON object: key → { value, origin }' },
      ...CONFIG_ARGS,
      help: { type: 'boolean', alias: 'h', description: 'Show this help' },
    },
    run({ args }) {
      if (args.action !== 'show' || args._.length > 1)
        throw new UsageError('Use: ai-ticket config show [--origin]')
      const loaded = loadConfig(configFlags(args), process.env)
      if (!loaded.ok) {
        for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
        return EXIT.badConfiguration
      }
      const unwise = servingProblems(loaded.value).map(
        ({ message }) => `The server will not start: ${message}`,
      )
      for (const warning of [...loaded.value.warnings, ...unwise]) process.stderr.write(`${warning}\n`)
      const rows = configRows(loaded.value, DEFAULTS)
      if (args.json) {
        const entries = rows.map(({ key, value, origin }) => [key, { value, origin }])
        process.stdout.write(`${JSON.stringify(Object.fromEntries(entries))}\n`)
        return EXIT.ok
      }
      for (const { key, value, origin } of rows) {
        process.stdout.write(`${key} = ${JSON.stringify(value)}${args.origin ? `  (${origin})` : ''}\n`)
      }
      return EXIT.ok
    },
  },
  EXAMPLES,
)
