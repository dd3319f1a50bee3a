import type { BackendHealth } from '@ai-ticket/core'
import { addressOf } from '../config/backend-config.ts'
import { CONFIG_ARGS, cliCommand } from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { openDesk } from '../program/open-dispatcher.ts'
import { terminalJson, terminalText } from '../program/terminal-text.ts'
import { answers, summary } from '../serve/announce-backends.ts'

const EXAMPLES = `
  ai-ticket health
  ai-ticket health --kobold-url http://gpu-1:5001 --json
`

export const command = cliCommand(
  {
    meta: {
      name: 'health',
      description: `Ask each backend whether it answers; exit code ${EXIT.unavailable} if none does`,
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
      if (args.json) process.stdout.write(`${terminalJson(health)}\n`)
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
