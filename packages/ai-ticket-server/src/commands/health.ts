import * as v from 'valibot'
import { keyWith } from '../config/api-keys.ts'
import { addressOf } from '../config/backend-config.ts'
import type { ResolvedConfig } from '../config/config.ts'
import { askServer } from '../program/ask-server.ts'
import { findServer, openDesk } from '../program/command-desk.ts'
import { addAskFlags, addExamples, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'
import { terminalJson, terminalLine, terminalText } from '../program/terminal-text.ts'
import { answers, summary } from '../serve/announce-backends.ts'

const EXAMPLES = `
  ai-ticket health
  ai-ticket health --kobold-url http://gpu-1:5001 --json
`

export const command: CommandModule = {
  configure(command) {
    command.description(`Ask each backend whether it answers; exit code ${EXIT.unavailable} if none does`)
    command.option('--json', 'Print one JSON object')
    addAskFlags(command)
    addExamples(command, EXAMPLES)
    runs(command, showHealth)
  },
}

const showHealth: Run<{ readonly json?: boolean }> = async ({ options, flags }) => {
  const resolved = readConfig(flags)
  if (resolved === undefined) return EXIT.badConfiguration
  const server = await findServer(resolved)
  const health = await (server === undefined ? healthFromHere(resolved) : healthThere(server, resolved))
  if (typeof health === 'number') return health
  const urls = new Map(resolved.config.backends.map((backend) => [backend.name, addressOf(backend)]))
  if (options.json) process.stdout.write(`${terminalJson(health)}\n`)
  else if (health.backends === undefined) process.stdout.write(`${server}  ${health.status}\n`)
  else
    for (const backend of health.backends)
      process.stdout.write(line(backend, server === undefined ? urls.get(backend.name) : `at ${server}`))
  const isWell = health.backends === undefined ? health.status === 'healthy' : health.backends.some(answers)
  return isWell ? EXIT.ok : EXIT.unavailable
}

/** What is read of `GET /health`. Without the scope `read`, a server shows its status alone. */
const HealthReply = v.object({
  status: v.string(),
  backends: v.exactOptional(
    v.array(
      v.object({
        name: v.string(),
        state: v.string(),
        models: v.array(v.string()),
        context_length: v.exactOptional(v.number()),
        version: v.exactOptional(v.string()),
        details: v.exactOptional(v.string()),
      }),
    ),
  ),
})

type HealthAsked = v.InferOutput<typeof HealthReply>

type BackendAsked = NonNullable<HealthAsked['backends']>[number]

/** A number: the exit code, and what is wrong has been printed. */
async function healthFromHere(resolved: ResolvedConfig): Promise<HealthAsked | number> {
  await using desk = await openDesk(resolved)
  return desk === undefined ? EXIT.badConfiguration : await desk.dispatcher.health()
}

async function healthThere(server: string, { config }: ResolvedConfig): Promise<HealthAsked | number> {
  const reply = await askServer(server, keyWith(config.apiKeys, 'read'), {
    method: 'GET',
    path: '/health',
    reply: HealthReply,
  })
  if (reply.ok) return reply.body
  process.stderr.write(`${terminalLine(reply.message)}\n`)
  return reply.error === undefined ? EXIT.unavailable : EXIT_OF_FAILURE[reply.error]
}

function line(health: BackendAsked, url = ''): string {
  const detail = answers(health) ? summary(health) : health.details === undefined ? '' : `: ${health.details}`
  return `${terminalText(`${health.name}  ${url}  ${health.state}${detail}`)}\n`
}
