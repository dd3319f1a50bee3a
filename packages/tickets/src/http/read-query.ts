import { CALLBACK_STATES, DELIVERY_STATUSES } from '../ticket/delivery.ts'
import { TICKET_STATUSES, type TicketStatus } from '../ticket/ticket.ts'
import type { PruneRequest, TicketQuery } from '../ticket/ticket-store.ts'
import { readTime } from './read-event.ts'
import { problem } from './ticket-context.ts'

/** Names of the query of `GET /tickets`, and where they go. */
const TEXTS = {
  backend: 'backend',
  model: 'model',
  error: 'error',
  event_id: 'eventId',
  key: 'caller',
  door: 'door',
  idempotency_key: 'idempotencyKey',
  text: 'text',
  replay_of: 'replayOf',
  cursor: 'cursor',
} as const satisfies Record<string, keyof TicketQuery>

/** A search takes as long as the pattern is, for each character that it looks at. */
const LONGEST_TEXT = 256

/** Each is a search of its own. */
const MOST_METADATA = 20

const METADATA = /^metadata\.(.+)$/

/** The query of `GET /tickets`. Throws a `RequestProblem` that names what it does not know. */
export function readQuery(given: Readonly<Record<string, unknown>>): TicketQuery {
  const query: Record<string, unknown> = {}
  const metadata: [name: string, value: string][] = []
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string')
      throw problem('invalid_input_format', `\`${name}\` is given more than once.`)
    const key = METADATA.exec(name)?.[1]
    if (key !== undefined) metadata.push([key, value])
    else if (name === 'text' && value.length > LONGEST_TEXT)
      throw problem('invalid_input_format', `\`text\` must have at most ${LONGEST_TEXT} characters.`)
    else if (Object.hasOwn(TEXTS, name)) query[TEXTS[name as keyof typeof TEXTS]] = value
    else Object.assign(query, readField(name, value))
  }
  if (metadata.length > MOST_METADATA)
    throw problem('invalid_input_format', `There are more than ${MOST_METADATA} filters \`metadata.<name>\`.`)
  // Unlike an assignment, this makes `__proto__` a name like any other: a filter that is lost would let everything pass.
  return { ...query, ...(metadata.length > 0 ? { metadata: Object.fromEntries(metadata) } : {}) }
}

function readField(name: string, value: string): TicketQuery {
  switch (name) {
    case 'status':
      return { statuses: value.split(',').map(readStatus) }
    case 'kind':
      if (value !== 'ticket' && value !== 'event')
        throw problem('invalid_input_format', '`kind` is ticket or event.')
      return { kind: value }
    case 'callback': {
      const callback = CALLBACK_STATES.find((one) => one === value)
      if (callback) return { callback }
      throw problem('invalid_input_format', `\`callback\` is one of ${CALLBACK_STATES.join(', ')}.`)
    }
    case 'wasted':
      if (value === 'true') return { isWasted: true }
      throw problem('invalid_input_format', '`wasted` is true, or not given.')
    case 'limit':
      return { limit: readLimit(value) }
    case 'created_from':
      return { createdFrom: readTime(name, value) ?? 0 }
    case 'created_before':
      return { createdBefore: readTime(name, value) ?? 0 }
    default:
      throw problem(
        'invalid_input_format',
        `There is no filter \`${name}\`. Known: ${KNOWN_FILTERS.join(', ')}.`,
      )
  }
}

/** The names that a query may hold. */
export const KNOWN_FILTERS = [
  ...['status', 'kind', 'callback', 'wasted', 'limit', 'created_from', 'created_before'],
  ...Object.keys(TEXTS),
  'metadata.<name>',
]

/** `view` of a list, and the rest of its query. Throws a `RequestProblem`. */
export function readView({ view, ...query }: Readonly<Record<string, unknown>>): {
  readonly isRows: boolean
  readonly query: TicketQuery
} {
  if (view !== undefined && view !== 'row' && view !== 'full')
    throw problem('invalid_input_format', '`view` is row or full.')
  return { isRows: view === 'row', query: readQuery(query) }
}

function readStatus(text: string): TicketStatus {
  const status = TICKET_STATUSES.find((one) => one === text.trim())
  if (status) return status
  throw problem('invalid_input_format', `\`status\` is one or more of ${TICKET_STATUSES.join(', ')}.`)
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit
  throw problem('invalid_input_format', '`limit` must be a whole number from 1 to 200.')
}

/** The query of `GET /callbacks`: those of tickets that have ended, unless it names a status. Throws a `RequestProblem`. */
export function readCallbackQuery(given: Readonly<Record<string, unknown>>): TicketQuery {
  const { status, ...page } = given
  const unknown = Object.keys(page).find((name) => name !== 'cursor' && name !== 'limit')
  if (unknown !== undefined)
    throw problem('invalid_input_format', `There is no filter \`${unknown}\`. Known: status, cursor, limit.`)
  const callback = DELIVERY_STATUSES.filter((one) => status === undefined || one === status)
  if (callback.length === 0)
    throw problem('invalid_input_format', `\`status\` is one of ${DELIVERY_STATUSES.join(', ')}.`)
  return { ...readQuery(page), callback }
}

/** `30s`, `500ms` or seconds as a bare number; at most five minutes. */
export function readWait(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const [, digits, unit] = /^(\d{1,9})(ms|s|m)?$/.exec(String(value)) ?? []
  if (digits === undefined) throw problem('invalid_input_format', '`wait` must be a time like 30s.')
  const factor = unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1_000
  return Math.min(Number(digits) * factor, 300_000)
}

const KNOWN: readonly string[] = ['finished_before', 'keep', 'failed', 'dry_run']

/** The body of `POST /tickets/prune`. Throws a `RequestProblem` for an unknown name: a typing error must not remove everything. */
export function readPrune(body: unknown): PruneRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw problem('invalid_input_format', 'The body must be an object with `finished_before` or `keep`.')
  const unknown = Object.keys(body).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined)
    throw problem('invalid_input_format', `There is no \`${unknown}\`. Known: ${KNOWN.join(', ')}.`)
  const given = body as Readonly<Record<string, unknown>>
  const finishedBefore = readTime('finished_before', given.finished_before)
  const keep = readCount(given.keep)
  const failed = readSwitch('failed', given.failed)
  if (finishedBefore === undefined && (failed || keep === undefined))
    throw problem('invalid_input_format', `\`finished_before\` is missing${failed ? '' : ', or `keep`'}.`)
  return {
    ...(finishedBefore === undefined ? {} : { finishedBefore }),
    ...(failed ? {} : { deadLettersBefore: 0 }),
    ...(keep === undefined ? {} : { keep }),
    dryRun: readSwitch('dry_run', given.dry_run),
  }
}

function readCount(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
  throw problem('invalid_input_format', '`keep` must be a whole number from 0 on.')
}

function readSwitch(name: string, value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  throw problem('invalid_input_format', `\`${name}\` must be true or false.`)
}
