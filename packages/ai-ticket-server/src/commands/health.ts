import type { BackendHealth } from '@ai-ticket/core'
import { answers, summary } from '../announce-backends.ts'
import { addressOf } from '../backend-config.ts'
import { CONFIG_ARGS, cliCommand } from '../command-line.ts'
import { openDesk } from '../desk.ts'
import { EXIT } from '../exit-codes.ts'
import { terminalText } from '../terminal-text.ts'

const EXAMPLES = `
  ai-ticket health
  ai-ticket health --kobold-url http://gpu-1:5001 --json
`

export const command = cliCommand(
  {
    meta: {
      name: 'health',
      description: `Ask each backend whether it answers; ${EXIT.unavailable} if none does`,
    },
    args: {
      json: { type: 'boolean', description: 'Print one JSON object' },
      ...CONFIG_ARGS,
      help: { type: 'boolean', alias: 'h', description: 'Show this help' },
    },
    async run({ args }) {
      await using desk = await openDesk(args)
      if (desk === undefined) return EXIT.badConfiguration
      const health = await desk.dispatcher.health()
      const urls = new Map(desk.config.backends.map((backend) => [backend.name, addressOf(backend)]))
      if (args.json) process.stdout.write(`${JSON.stringify(health)}\n`)
      else
        for (const backend of health.backends)
          process.stdout.write(line(backend, urls.get(backend.name) ?? ''))
      return health.backends.some(answers) ? EXIT.ok : EXIT.unavailable
    },
  },
  EXAMPLES,
)

function line(health: BackendHealth, url: string): string {
  const detail = answers(health) ? summary(health) : health.details === undefined ? '' : `: ${health.details}`
  return `${terminalText(`${health.name}  ${url}  ${health.state}${detail}`)}\n`
}
