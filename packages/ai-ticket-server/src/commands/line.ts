import type { DeskReport } from '@ai-ticket/core'
import { keyWith } from '../config/api-keys.ts'
import { askServer, serverOf } from '../program/ask-server.ts'
import { addExamples, addServerFlags, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'
import { terminalJson, terminalLine } from '../program/terminal-text.ts'

const EXAMPLES = `
  ai-ticket line
  ai-ticket line --server http://desk:5000 --json | jq .line.waiting
`

export const command: CommandModule = {
  configure(command) {
    command.option('--json', 'Print one JSON object, as GET /backends')
    addServerFlags(command)
    addExamples(command, EXAMPLES)
    runs(command, showLine)
  },
}

const showLine: Run<{ readonly json?: boolean }> = async ({ options, flags }) => {
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const { config } = resolved
  const key = keyWith(config.apiKeys, 'read')
  const reply = await askServer(serverOf(config), key, {
    method: 'GET',
    path: '/backends',
    isReply: ({ line, backends }) => typeof line === 'object' && line !== null && Array.isArray(backends),
  })
  if (!reply.ok) {
    process.stderr.write(`${terminalLine(reply.message)}\n`)
    return reply.error === undefined ? EXIT.unavailable : EXIT_OF_FAILURE[reply.error]
  }
  // `isReply` has looked at what is read of it.
  const report = reply.body as unknown as DeskReport
  process.stdout.write(options.json ? `${terminalJson(report)}\n` : textOf(report))
  return EXIT.ok
}

function textOf({ line, backends }: DeskReport): string {
  const oldest = line.oldest_ms === undefined ? '' : `, the oldest for ${seconds(line.oldest_ms)}`
  const start = !line.eta_seconds ? '' : `, a new one starts in about ${line.eta_seconds} s`
  const lines = [
    `${line.waiting} of ${line.capacity} wait${oldest}${start}`,
    ...backends.map(({ name, state, in_flight, concurrency, models }) =>
      [name, state, `${in_flight}/${concurrency} busy`, models.join(', ')].join('  ').trimEnd(),
    ),
  ]
  return lines.map((text) => `${terminalLine(text)}\n`).join('')
}

const seconds = (milliseconds: number): string => `${Math.round(milliseconds / 1_000)} s`
