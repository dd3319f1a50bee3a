import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import type { Scope } from '@ai-ticket/http-server'
import { type Command, InvalidArgumentError } from 'commander'
import * as v from 'valibot'
import { keyWith } from '../config/api-keys.ts'
import {
  askServer,
  type JsonObject,
  type ServerReply,
  type ServerRequest,
  serverOf,
} from '../program/ask-server.ts'
import {
  addExamples,
  addServerFlags,
  type CommandModule,
  readCount,
  readDuration,
  runs,
  UsageError,
} from '../program/command-line.ts'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { readConfig } from '../program/read-config.ts'
import { terminalJson, terminalLine } from '../program/terminal-text.ts'

const EXAMPLES = `
  ai-ticket tickets list --status failed
  ai-ticket tickets show tkt_01a2…
  ai-ticket tickets replay --status failed
  ai-ticket tickets prune --older-than 7d --dry-run
`

/** What is printed of a reply. */
type Show = (body: JsonObject, asJson: boolean) => string

interface Answer {
  readonly request: ServerRequest
  /** What is read of the reply. Default: what it is. */
  readonly reply?: v.GenericSchema<{ readonly object: string }>
  /** Default: its JSON, indented for people. */
  readonly show?: Show
}

/** Each with one ticket. */
const ACTIONS: Readonly<Record<string, { summary: string; request: (path: string) => ServerRequest }>> = {
  show: { summary: 'Show a ticket', request: (path) => ({ method: 'GET', path }) },
  cancel: { summary: 'Cancel a ticket', request: (path) => ({ method: 'DELETE', path }) },
  callbacks: {
    summary: 'Show the attempts to deliver the callback of a ticket',
    request: (path) => ({ method: 'GET', path: `${path}/callbacks` }),
  },
  resend: {
    summary: 'Send the callback of a ticket again',
    request: (path) => ({ method: 'POST', path: `${path}/callbacks/resend` }),
  },
}

export const command: CommandModule = {
  configure(command) {
    const list = command
      .command('list')
      .description('List tickets, the newest first')
      .option('--status <names>', 'Only these, comma separated')
      .option('--text <text>', 'With this in the prompt or the answer')
      .option(
        '--door <name>',
        'That came in by this API: event, tickets, openai, responses, anthropic, kobold',
      )
      .option('--limit <number>', 'At most this many; 200 at most', readCount)
    answers(list, (options: ListOptions) => ({
      request: listRequest(options),
      reply: TicketList,
      show: ticketLines,
    }))
    for (const [name, { summary, request }] of Object.entries(ACTIONS)) {
      const action = command.command(name).description(summary).argument('<id>', 'The ticket')
      answers(action, (_options, [id = '']) => ({ request: request(`/tickets/${encodeURIComponent(id)}`) }))
    }
    const replay = command
      .command('replay')
      .description('Ask the event of a ticket again, as a new ticket, or those of many')
      .argument('[id]', 'The ticket')
      .option('--status <names>', 'All tickets that ended so, comma separated; on a terminal it asks first')
      .option('--dry-run', 'Only say how many')
      .option('--yes', 'Do not ask')
    answers(replay, replayOf, confirmReplay)
    const prune = command
      .command('prune')
      .description('Remove finished tickets; on a terminal it asks first')
      .option('--older-than <time>', 'Tickets that finished longer ago, like 7d', readDuration)
      .option('--keep <number>', 'All but this many, the newest', readKept)
      .option('--failed', 'Failed tickets that are --older-than, too')
      .option('--dry-run', 'Only say how many')
      .option('--yes', 'Do not ask')
    const removes = (options: PruneOptions) => ({ request: pruneRequest(options), show: pruned })
    answers(prune, removes, confirmPrune)
    addExamples(command, EXAMPLES)
  },
}

type Ask = (request: ServerRequest) => Promise<ServerReply>

/** Undefined: go on. */
type Confirm<Options> = (options: Options, request: ServerRequest, ask: Ask) => Promise<number | undefined>

/** Makes it the action of the command to ask the server and print the reply. */
function answers<Options>(
  command: Command,
  answerOf: (options: Options, words: readonly string[]) => Answer,
  confirm?: Confirm<Options>,
): void {
  command.option('--json', 'Print JSON; a list has one ticket a line')
  addServerFlags(command)
  runs<Options & { readonly json?: boolean }>(command, async ({ options, words, flags }) => {
    const { request, show, reply: schema = AnyReply } = answerOf(options, words)
    const resolved = readConfig(flags)
    if (resolved === undefined) return EXIT.badConfiguration
    const { config } = resolved
    const ask: Ask = (asked) =>
      askServer(serverOf(config), keyWith(config.apiKeys, scopeOf(asked)), { ...asked, reply: schema })
    const stopped = await confirm?.(options, request, ask)
    if (stopped !== undefined) return stopped
    const reply = await wholeAnswer(ask, request)
    if (!reply.ok) return refused(reply)
    const asJson = options.json === true
    process.stdout.write(show?.(reply.body, asJson) ?? `${terminalJson(reply.body, asJson ? 0 : 2)}\n`)
    return Array.isArray(reply.body.refused) && reply.body.refused.length > 0 ? EXIT.someFailed : EXIT.ok
  })
}

/** What a line shows of a ticket. */
const TicketRow = v.object({
  id: v.string(),
  status: v.string(),
  created_at: v.string(),
  runs: v.number(),
  event_id: v.string(),
  outcome: v.exactOptional(v.object({ error: v.exactOptional(v.string()) })),
})

type TicketRow = v.InferOutput<typeof TicketRow>

const Refusal = v.object({ id: v.string(), error: v.string() })

type Refusal = v.InferOutput<typeof Refusal>

const TicketList = v.object({ object: v.literal('list'), data: v.array(TicketRow) })

const BulkReply = v.object({ object: v.literal('bulk'), refused: v.array(Refusal) })

/** Whatever comes from AI Ticket says here what it is. */
const AnyReply = v.object({ object: v.string() })

function refused({ error, message }: ServerReply & { readonly ok: false }): number {
  process.stderr.write(`${terminalLine(message)}\n`)
  return error === undefined ? EXIT.unavailable : EXIT_OF_FAILURE[error]
}

/** On a terminal, says how many tickets it would be, and goes on only after a yes. */
const confirmed =
  (questionOf: (body: JsonObject) => string, otherwise: string): Confirm<SureOptions> =>
  async ({ yes, dryRun }, request, ask) => {
    if (yes || dryRun || request.body === undefined || !process.stdin.isTTY || !process.stderr.isTTY)
      return undefined
    const reply = await wholeAnswer(ask, { ...request, body: { ...request.body, dry_run: true } })
    if (!reply.ok) return refused(reply)
    const streams = { input: process.stdin, output: process.stderr }
    if (await saysYes(`${questionOf(reply.body)} [y/N] `, streams)) return undefined
    process.stderr.write(`${otherwise}\n`)
    return EXIT.interrupted
  }

interface SureOptions {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const confirmPrune = confirmed(
  ({ removed }) => `Remove ${removed} tickets for good?`,
  'Nothing was removed. --yes removes without a question.',
)

const confirmReplay = confirmed(
  ({ matched }) => `Ask the events of ${matched} tickets again?`,
  'Nothing was replayed. --yes replays without a question.',
)

/** Asks a person. Anything but y or yes is a no, and so is the end of the input. */
export async function saysYes(
  question: string,
  streams: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream },
): Promise<boolean> {
  const lines = createInterface(streams)
  const closed = once(lines, 'close').then(() => '')
  const answer = await Promise.race([lines.question(question), closed])
  lines.close()
  return /^y(es)?$/i.test(answer.trim())
}

/** What takes several requests, as if it were one. */
const wholeAnswer = (ask: Ask, request: ServerRequest): Promise<ServerReply> =>
  request.path === BULK_PATH ? wholeBulk(ask, request) : wholeList(ask, request)

const BULK_PATH = '/tickets/bulk'

/** The server takes 500 tickets a call. Replays are newer than what is looked through, so none is met again. */
async function wholeBulk(ask: Ask, request: ServerRequest): Promise<ServerReply> {
  const { filter, ...body } = request.body as { readonly filter: object }
  const total = { object: 'bulk', matched: 0, done: 0, refused: [] as unknown[] }
  let page: object = filter
  for (;;) {
    const reply = await ask({ ...request, body: { ...body, filter: page } })
    if (!reply.ok && total.done === 0) return reply
    if (!reply.ok) return { ...reply, message: `${reply.message} Before that, ${total.done} were replayed.` }
    const { matched, done, refused, next_cursor: cursor } = reply.body
    total.matched += Number(matched)
    total.done += Number(done)
    if (Array.isArray(refused)) total.refused.push(...refused)
    if (typeof cursor !== 'string') return { ok: true, body: total }
    page = { ...filter, cursor }
  }
}

const DEFAULT_LIMIT = 50

/** The server looks through a bounded number of tickets for a page, so a page may be short: asks on until the list is full. */
async function wholeList(ask: Ask, request: ServerRequest): Promise<ServerReply> {
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

interface ListOptions {
  readonly status?: string
  readonly text?: string
  readonly door?: string
  readonly limit?: number
}

function listRequest({ status, text, door, limit }: ListOptions): ServerRequest {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ status, text, door, limit })) {
    if (value !== undefined) query.set(name, String(value))
  }
  return { method: 'GET', path: `/tickets?${query}` }
}

interface ReplayOptions extends SureOptions {
  readonly status?: string
}

/** One ticket, or many: those that were accepted as tickets, for nobody waits for an event that was answered at once. */
function replayOf({ status, dryRun }: ReplayOptions, [id]: readonly string[]): Answer {
  if (id !== undefined && status === undefined && !dryRun)
    return { request: { method: 'POST', path: `/tickets/${encodeURIComponent(id)}/replay` } }
  if (id !== undefined || status === undefined)
    throw new UsageError('Say which tickets to replay: the id of one, or --status failed.')
  const filter = { status, kind: 'ticket' }
  const body = { action: 'replay', filter, dry_run: dryRun === true }
  return {
    request: { method: 'POST', path: BULK_PATH, body },
    reply: BulkReply,
    show: replayed(dryRun === true),
  }
}

/** `BulkReply` has checked each refusal. */
const replayed =
  (isDryRun: boolean): Show =>
  (body, asJson) => {
    if (asJson) return `${terminalJson(body)}\n`
    if (isDryRun) return `${body.matched} would be replayed\n`
    const refusals = body.refused as readonly Refusal[]
    const lines = refusals.map(({ id, error }) => `${terminalLine(`${id} was refused: ${error}`)}\n`)
    return [`${body.done} of ${body.matched} replayed\n`, ...lines].join('')
  }

interface PruneOptions extends SureOptions {
  readonly olderThan?: number
  readonly keep?: number
  readonly failed?: boolean
}

/** Keeping none is a choice, too. */
function readKept(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

function pruneRequest({ olderThan, keep, failed, dryRun }: PruneOptions): ServerRequest {
  if (olderThan === undefined && (failed || keep === undefined))
    throw new UsageError(`Say which tickets to remove: --older-than 7d${failed ? '' : ', or --keep 10000'}.`)
  const body = {
    ...(olderThan === undefined
      ? {}
      : { finished_before: new Date(Math.max(0, Date.now() - olderThan)).toISOString() }),
    ...(keep === undefined ? {} : { keep }),
    failed: failed === true,
    dry_run: dryRun === true,
  }
  return { method: 'POST', path: '/tickets/prune', body }
}

const pruned: Show = (body, asJson) =>
  asJson ? `${terminalJson(body)}\n` : `${body.removed} ${body.dry_run ? 'would be ' : ''}removed\n`

/** Each ticket in a line. `TicketList` has checked each of them. */
const ticketLines: Show = ({ data }, asJson) =>
  (data as TicketRow[]).map((ticket) => `${asJson ? terminalJson(ticket) : line(ticket)}\n`).join('')

const line = ({ id, status, created_at, runs, event_id, outcome }: TicketRow): string =>
  terminalLine(
    [id, status.padEnd(11), created_at, `runs ${runs}`, event_id, outcome?.error ?? ''].join('  ').trimEnd(),
  )
