import type { FastifyRequest } from 'fastify'
import { isFinished, type Ticket } from '../ticket/ticket.ts'
import { type ArrivingEvent, acceptEvent, checkCallback } from './accept-event.ts'
import { readEvent } from './read-event.ts'
import { readQuery } from './read-query.ts'
import { failureOfOne, problem, type TicketContext, unknownTicket } from './ticket-context.ts'

const BULK_ACTIONS = ['replay', 'cancel', 'resend'] as const
type BulkAction = (typeof BULK_ACTIONS)[number]

/** What became of many tickets. */
export interface BulkBody {
  /** What this body is. */
  object: 'bulk'
  /** How many tickets this call was about. */
  matched: number
  /** For how many of them the action was done; 0 of a dry run. */
  done: number
  /** The others, each with the code of its failure. */
  refused: { id: string; error: string }[]
  /** Go on with it, as the `cursor` of the filter. Absent: these were all. */
  next_cursor?: string
}

/** Tickets of one call. */
const MOST = 500
const PAGE = 100
/** Tickets in work at a time: their events may be large, and those that are accepted together share a commit. */
const AT_A_TIME = 8
/** Of replays, unless the request says otherwise: a crowd of them stands behind what is new. */
const REPLAY_PRIORITY = -10

interface BulkRequest {
  readonly action: BulkAction
  readonly ids: readonly string[] | undefined
  readonly filter: Readonly<Record<string, unknown>>
  readonly isDryRun: boolean
  readonly priority: number
}

/** `POST /tickets/bulk`. A ticket that refuses keeps no other from its turn. Throws a `RequestProblem` for a bad request. */
export async function actOnMany(context: TicketContext, request: FastifyRequest): Promise<BulkBody> {
  if (request.headers['idempotency-key'] !== undefined)
    throw problem('invalid_request', 'An Idempotency-Key is for one event. Leave it out of a bulk request.')
  const asked = readBulk(request.body)
  const { ids, nextCursor } = await idsOf(context, asked)
  const refused: BulkBody['refused'] = []
  const left = asked.isDryRun ? [] : [...ids]
  let done = 0
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      const error = await tryOne(context, request, { ...asked, id })
      if (error === undefined) done += 1
      else refused.push({ id, error })
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  if (!asked.isDryRun) {
    const by = context.callerOf(request) || request.ip
    const fields = { action: asked.action, tickets: ids.length, done, by, request_id: request.id }
    context.logger.info('operator acted on many tickets', fields)
  }
  return {
    object: 'bulk',
    matched: ids.length,
    done,
    refused,
    ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }),
  }
}

/**
 * The event of the ticket and its callback; what the body names is put in its place. A new event with an id of its own, and
 * read in the format of the first. Throws a `RequestProblem`.
 */
export function readReplay(
  context: Pick<TicketContext, 'clock'>,
  ticket: Ticket,
  body: unknown,
): ArrivingEvent {
  const { id, trace, isChat } = ticket
  return {
    ...readEvent(context, replayedEvent(ticket, body), isChat),
    door: 'tickets',
    replayOf: id,
    ...(isChat && { isChat }),
    ...(trace && { follows: trace }),
  }
}

function replayedEvent({ event, callbackUrl }: Ticket, body: unknown): unknown {
  if (event === null) {
    throw problem(
      'gone',
      'The content of this event was not kept (AI_TICKET_HISTORY). Send it as a new event.',
    )
  }
  if (body !== undefined && (typeof body !== 'object' || body === null || Array.isArray(body))) {
    throw problem(
      'invalid_input_format',
      'The body of a replay is empty or an object with the fields to change.',
    )
  }
  const { id: _former, ...rest } = event
  return { ...rest, callback_url: callbackUrl, ...body }
}

async function idsOf(
  { store }: TicketContext,
  { ids, filter }: BulkRequest,
): Promise<{ readonly ids: readonly string[]; readonly nextCursor?: string | undefined }> {
  if (ids !== undefined) return { ids: [...new Set(ids)] }
  const query = readQuery(filter)
  const found: string[] = []
  let { cursor } = query
  do {
    const page = await store.listRows({ ...query, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.rows.map(({ id }) => id))
    cursor = page.nextCursor
    // A search that finds little looks on in the next call.
    if (page.rows.length === 0) break
  } while (cursor !== undefined && found.length <= MOST - PAGE)
  return { ids: found, nextCursor: cursor }
}

/** The code of its failure; undefined: it is done. */
async function tryOne(
  context: TicketContext,
  request: FastifyRequest,
  one: BulkRequest & { readonly id: string },
): Promise<string | undefined> {
  try {
    const ticket = await context.store.get(one.id)
    if (ticket === undefined) throw unknownTicket()
    await ACTIONS[one.action](context, request, { ticket, priority: one.priority })
    return undefined
  } catch (error) {
    return failureOfOne(context, error, { request_id: request.id, ticket_id: one.id }).code
  }
}

type Act = (
  context: TicketContext,
  request: FastifyRequest,
  given: { readonly ticket: Ticket; readonly priority: number },
) => Promise<void>

const ACTIONS: Readonly<Record<BulkAction, Act>> = {
  async replay(context, request, { ticket, priority }) {
    await acceptEvent(context, request, readReplay(context, ticket, { priority }))
  },
  async cancel({ store }, _request, { ticket }) {
    if (isFinished(ticket)) throw problem('conflict', 'There is nothing left to cancel.')
    await store.cancel(ticket.id)
  },
  async resend(context, _request, { ticket: { id, callbackUrl } }) {
    if (callbackUrl === undefined) throw problem('not_found', 'This ticket has no `callback_url`.')
    checkCallback(context, callbackUrl)
    if ((await context.store.callbacks.resend(id)) === undefined)
      throw problem('conflict', 'This ticket has not ended.')
  },
}

const KNOWN: readonly string[] = ['action', 'ids', 'filter', 'dry_run', 'priority']

/** Throws a `RequestProblem`, also for an unknown name: a typing error must not act on everything. */
function readBulk(body: unknown): BulkRequest {
  if (!isObject(body)) throw wrong('The body must be an object with `action`, and `ids` or `filter`.')
  const unknown = Object.keys(body).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw wrong(`There is no \`${unknown}\`. Known: ${KNOWN.join(', ')}.`)
  const { ids, filter, dry_run: isDryRun = false, priority = REPLAY_PRIORITY } = body
  const action = BULK_ACTIONS.find((one) => one === body.action)
  if (action === undefined) throw wrong(`\`action\` is one of ${BULK_ACTIONS.join(', ')}.`)
  if ((ids === undefined) === (filter === undefined)) throw wrong('Give either `ids` or `filter`.')
  if (ids !== undefined && !isIds(ids))
    throw wrong(`\`ids\` must be a list of at most ${MOST} ids of tickets.`)
  if (filter !== undefined && !isObject(filter))
    throw wrong('`filter` must be an object with filters of `GET /tickets`, as texts.')
  if (typeof isDryRun !== 'boolean') throw wrong('`dry_run` must be true or false.')
  if (!Number.isInteger(priority) || Math.abs(Number(priority)) > 100)
    throw wrong('`priority` must be a whole number from -100 to 100.')
  return { action, ids, filter: filter ?? {}, isDryRun, priority: Number(priority) }
}

const wrong = (details: string) => problem('invalid_input_format', details)

const isIds = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= MOST && value.every((id) => typeof id === 'string')

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
