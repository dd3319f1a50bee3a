import type { Scope } from '@ai-ticket/http-server'
import { keyWith } from '../config/api-keys.ts'
import { loadConfig } from '../config/config.ts'
import { askServer, type ServerReply, type ServerRequest, serverUrl } from '../program/ask-server.ts'
import { CONFIG_ARGS, cliCommand, configFlags, parseDurationMs, UsageError } from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { terminalJson, terminalLine } from '../program/terminal-text.ts'

const EXAMPLES = `
  ai-ticket tickets list --status failed
  ai-ticket tickets show tkt_01a2…
  ai-ticket tickets replay tkt_01a2…
  ai-ticket tickets cancel tkt_01a2…
  ai-ticket tickets resend tkt_01a2…
  ai-ticket tickets prune --older-than 7d --dry-run
`

const USE =
  'Use: ai-ticket tickets list, or prune, or show, replay, cancel, callbacks or resend with the id of a ticket.'

export const command = cliCommand(
  {
    meta: {
      name: 'tickets',
      description: 'List, show, replay, cancel or remove the tickets of a running server',
    },
    args: {
      action: {
        type: 'positional',
        description:
          'list, show, replay, cancel, prune, callbacks (attempts to deliver its callback) or resend',
        required: false,
      },
      id: { type: 'positional', description: 'The ticket', required: false },
      status: { type: 'string', valueHint: 'name,…', description: 'list: only these' },
      text: { type: 'string', valueHint: 'text', description: 'list: with this in the prompt or the answer' },
      limit: {
        type: 'string',
        valueHint: 'number',
        description: 'list: the newest ones, at most this many; 200 at most',
      },
      'older-than': {
        type: 'string',
        valueHint: '7d',
        description: 'prune: tickets that finished longer ago',
      },
      keep: { type: 'string', valueHint: 'number', description: 'prune: all but this many, the newest' },
      failed: {
        type: 'boolean',
        description: 'prune: failed tickets that are --older-than, too',
      },
      'dry-run': { type: 'boolean', description: 'prune: only say how many' },
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
      const ask = (asked: ServerRequest) => askServer(url, keyWith(config.apiKeys, scopeOf(asked)), asked)
      const reply = await wholeList(ask, request)
      if (!reply.ok) {
        process.stderr.write(`${terminalLine(reply.message)}\n`)
        return reply.error === undefined ? EXIT.unavailable : EXIT_OF_FAILURE[reply.error]
      }
      const isList = args.action === 'list' && Array.isArray(reply.body.data)
      const tickets = isList ? (reply.body.data as ListedTicket[]) : undefined
      if (reply.body.object === 'prune' && !args.json) process.stdout.write(pruned(reply.body))
      else if (tickets === undefined) process.stdout.write(`${terminalJson(reply.body, args.json ? 0 : 2)}\n`)
      else
        for (const ticket of tickets)
          process.stdout.write(`${args.json ? terminalJson(ticket) : line(ticket)}\n`)
      return EXIT.ok
    },
  },
  EXAMPLES,
)

const DEFAULT_LIMIT = 50

/** The server looks through a bounded number of tickets for a page, so a page may be short: asks on until the list is full. */
async function wholeList(
  ask: (request: ServerRequest) => Promise<ServerReply>,
  request: ServerRequest,
): Promise<ServerReply> {
  const reply = await ask(request)
  if (!reply.ok || !Array.isArray(reply.body.data)) return reply
  const [path, search] = request.path.split('?')
  const query = new URLSearchParams(search)
  const wanted = Number(query.get('limit') ?? DEFAULT_LIMIT)
  const data: unknown[] = [...reply.body.data]
  for (let cursor = reply.body.next_cursor; typeof cursor === 'string' && data.length < wanted; ) {
    query.set('cursor', cursor)
    query.set('limit', `${wanted - data.length}`)
    const next = await ask({ ...request, path: `${path}?${query}` })
    if (!next.ok || !Array.isArray(next.body.data)) return next
    data.push(...next.body.data)
    cursor = next.body.next_cursor
  }
  return { ...reply, body: { ...reply.body, data } }
}

/** Reading needs less than changing what may belong to another. */
const scopeOf = ({ method }: ServerRequest): Scope => (method === 'GET' ? 'read' : 'admin')

interface TicketsArgs {
  readonly _: readonly string[]
  readonly action?: string | undefined
  readonly id?: string | undefined
  readonly status?: string | undefined
  readonly text?: string | undefined
  readonly limit?: string | undefined
  readonly 'older-than'?: string | undefined
  readonly keep?: string | undefined
  readonly failed?: boolean | undefined
  readonly 'dry-run'?: boolean | undefined
}

function requestOf(args: TicketsArgs): ServerRequest {
  const { _: words, action, id, status, text, limit } = args
  if (action === 'list' && words.length === 1) {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ status, text, limit })) {
      if (value !== undefined) query.set(name, value)
    }
    return { method: 'GET', path: `/tickets?${query}` }
  }
  if (action === 'prune' && words.length === 1)
    return { method: 'POST', path: '/tickets/prune', body: pruneOf(args) }
  if (id === undefined || words.length !== 2) throw new UsageError(USE)
  const path = `/tickets/${encodeURIComponent(id)}`
  switch (action) {
    case 'show':
      return { method: 'GET', path }
    case 'cancel':
      return { method: 'DELETE', path }
    case 'replay':
      return { method: 'POST', path: `${path}/replay` }
    case 'callbacks':
      return { method: 'GET', path: `${path}/callbacks` }
    case 'resend':
      return { method: 'POST', path: `${path}/callbacks/resend` }
    default:
      throw new UsageError(USE)
  }
}

function pruneOf({ 'older-than': olderThan, keep, failed, 'dry-run': dryRun }: TicketsArgs): object {
  const ageMs = olderThan === undefined ? undefined : parseDurationMs(olderThan)
  if (olderThan !== undefined && ageMs === undefined)
    throw new UsageError('--older-than needs a time like 7d, 12h or 90m.')
  if (keep !== undefined && !/^\d{1,15}$/.test(keep)) throw new UsageError('--keep needs a whole number.')
  if (ageMs === undefined && (failed || keep === undefined))
    throw new UsageError(`Say which tickets to remove: --older-than 7d${failed ? '' : ', or --keep 10000'}.`)
  return {
    ...(ageMs === undefined
      ? {}
      : { finished_before: new Date(Math.max(0, Date.now() - ageMs)).toISOString() }),
    ...(keep === undefined ? {} : { keep: Number(keep) }),
    failed: failed === true,
    dry_run: dryRun === true,
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

const pruned = ({ removed, dry_run }: Readonly<Record<string, unknown>>): string =>
  `${removed} ${dry_run ? 'would be ' : ''}removed\n`

const line = ({ id, status, created_at, runs, event_id, outcome }: ListedTicket): string =>
  terminalLine(
    [id, status.padEnd(11), created_at, `runs ${runs}`, event_id, outcome?.error ?? ''].join('  ').trimEnd(),
  )
