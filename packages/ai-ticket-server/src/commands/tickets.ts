import { askServer, type ServerRequest, serverUrl } from '../ask-server.ts'
import { CONFIG_ARGS, cliCommand, configFlags, UsageError } from '../command-line.ts'
import { EXIT } from '../exit-codes.ts'
import { loadConfig } from '../load-config.ts'
import { terminalText } from '../terminal-text.ts'

const EXAMPLES = `
  ai-ticket tickets list --status failed
  ai-ticket tickets show tkt_01a2…
  ai-ticket tickets replay tkt_01a2…
  ai-ticket tickets cancel tkt_01a2…
`

const USE = 'Use: ai-ticket tickets list, or show, replay or cancel with the id of a ticket.'

export const command = cliCommand(
  {
    meta: { name: 'tickets', description: 'List, show, replay or cancel the tickets of a running server' },
    args: {
      action: { type: 'positional', description: 'list, show, replay or cancel', required: false },
      id: { type: 'positional', description: 'The ticket', required: false },
      status: { type: 'string', valueHint: 'name,…', description: 'list: only these' },
      text: { type: 'string', valueHint: 'text', description: 'list: in the prompt or the answer' },
      limit: { type: 'string', valueHint: 'number', description: 'list: so many, the newest; at most 200' },
      url: {
        type: 'string',
        valueHint: 'url',
        description: 'The server; default: where this configuration listens',
      },
      json: { type: 'boolean', description: 'Print JSON; a list has one ticket a line' },
      ...CONFIG_ARGS,
      help: { type: 'boolean', alias: 'h', description: 'Show this help' },
    },
    async run({ args }) {
      const request = requestOf(args)
      const loaded = loadConfig(configFlags(args), process.env)
      if (!loaded.ok) {
        for (const { message } of loaded.problems) process.stderr.write(`${message}\n`)
        return EXIT.badConfiguration
      }
      const { config } = loaded.value
      const url = args.url?.replace(/\/+$/, '') ?? serverUrl(config)
      const reply = await askServer(url, config.apiKeys[0], request)
      if (!reply.ok) {
        process.stderr.write(`${terminalText(reply.message)}\n`)
        return reply.status === undefined ? EXIT.unavailable : EXIT.badInput
      }
      const tickets = Array.isArray(reply.body.data) ? reply.body.data : undefined
      if (tickets === undefined)
        process.stdout.write(`${JSON.stringify(reply.body, null, args.json ? 0 : 2)}\n`)
      else
        for (const ticket of tickets)
          process.stdout.write(`${args.json ? JSON.stringify(ticket) : line(ticket)}\n`)
      return EXIT.ok
    },
  },
  EXAMPLES,
)

interface TicketsArgs {
  readonly _: readonly string[]
  readonly action?: string | undefined
  readonly id?: string | undefined
  readonly status?: string | undefined
  readonly text?: string | undefined
  readonly limit?: string | undefined
}

function requestOf({ _: words, action, id, status, text, limit }: TicketsArgs): ServerRequest {
  if (action === 'list' && words.length === 1) {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ status, text, limit })) {
      if (value !== undefined) query.set(name, value)
    }
    return { method: 'GET', path: `/tickets?${query}` }
  }
  if (id === undefined || words.length !== 2) throw new UsageError(USE)
  const path = `/tickets/${encodeURIComponent(id)}`
  switch (action) {
    case 'show':
      return { method: 'GET', path }
    case 'cancel':
      return { method: 'DELETE', path }
    case 'replay':
      return { method: 'POST', path: `${path}/replay` }
    default:
      throw new UsageError(USE)
  }
}

interface ListedTicket {
  readonly id: string
  readonly status: string
  readonly created_at: string
  readonly runs: number
  readonly event_id: string
  readonly outcome?: { readonly error?: string }
}

const line = ({ id, status, created_at, runs, event_id, outcome }: ListedTicket): string =>
  terminalText(
    [id, status.padEnd(11), created_at, `runs ${runs}`, event_id, outcome?.error ?? ''].join('  ').trimEnd(),
  )
