import type { Failure } from '@ai-ticket/core'
import { RequestProblem } from '@ai-ticket/http-server'
import type { Ticket } from '@ai-ticket/tickets'
// For `FastifyInstance.tickets`.
import type {} from '@ai-ticket/tickets/fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type InputItem, joinCalls, type Turn } from './read-input.ts'
import { conversationOf, markOf, turnsOf } from './response-body.ts'

/** A history writes four times a second: who asks at once waits that long before it is not there. */
const LOOKS = 5
const LOOK_AGAIN_MS = 100

export const refusedField = (details: string): Failure => ({ code: 'invalid_input_format', details })

/**
 * The ticket of a response, or the record of one that was answered at once. Throws a `RequestProblem`: `not_found` where
 * there is none that this caller may see.
 */
export async function findResponse(
  instance: FastifyInstance,
  request: FastifyRequest,
  id: string,
): Promise<Ticket> {
  const tail = /^resp_([\w-]{1,64})$/.exec(id)?.[1]
  const ticket = tail === undefined ? undefined : await findByTail(instance, request, tail)
  if (ticket === undefined) throw notFound('response', id)
  return ticket
}

const notFound = (what: string, id: string) =>
  new RequestProblem({
    code: 'not_found',
    details: `There is no ${what} ${id.slice(0, 80)}. It may be another key's, not stored (\`store\`, AI_TICKET_HISTORY), or its time to be kept is over.`,
  })

/** Undefined: there is none, or its caller did not want it to be found again. */
async function findByTail(
  instance: FastifyInstance,
  request: FastifyRequest,
  tail: string,
): Promise<Ticket | undefined> {
  if (!instance.hasDecorator('tickets')) return undefined
  const { tickets, desk } = instance
  const unlessMissing = (error: unknown) => {
    if (error instanceof RequestProblem && error.failure.code === 'not_found') return undefined
    throw error
  }
  for (let look = 1; ; look++) {
    const ticket =
      (await tickets.find(request, { id: `tkt_${tail}` }).catch(unlessMissing)) ??
      (await tickets.find(request, { eventId: `evt_${tail}` }).catch(unlessMissing))
    if (ticket !== undefined) return markOf(ticket.event).store === false ? undefined : ticket
    if (look === LOOKS) return undefined
    await new Promise<void>((resolve) => void desk.clock.setTimer(resolve, LOOK_AGAIN_MS))
  }
}

/** What was said up to the end of a response, without its instructions: they are not carried over. */
export async function conversationBefore(
  instance: FastifyInstance,
  request: FastifyRequest,
  id: string,
): Promise<readonly Turn[]> {
  const ticket = await findResponse(instance, request, id)
  const answer = turnsOf('outcome' in ticket.state ? ticket.state.outcome : undefined)
  if (answer === undefined || ticket.event === null) {
    throw new RequestProblem(
      refusedField(
        `\`previous_response_id\` names a response that has no answer to go on with: it ${stateOf(ticket)}.`,
      ),
    )
  }
  const turns = conversationOf(ticket.event)
  return [...(markOf(ticket.event).instructions ? turns.slice(1) : turns), ...answer]
}

function stateOf({ event, state }: Ticket): string {
  if (event === null) return 'was kept without its content (AI_TICKET_HISTORY)'
  return state.status === 'queued' || state.status === 'in_progress' ? 'has not ended' : `is ${state.status}`
}

interface Conversation {
  readonly before: readonly Turn[]
  readonly items: readonly InputItem[]
}

/** All turns in order. References to items of stored responses become what they stand for. */
export async function resolveItems(
  instance: FastifyInstance,
  request: FastifyRequest,
  { before, items }: Conversation,
): Promise<readonly Turn[]> {
  const tails = new Set(
    items.flatMap((item) => (item.type === 'reference' ? (readItemId(item.id)?.tail ?? []) : [])),
  )
  const tickets = await findByTails(instance, request, [...tails])
  const turns = items.flatMap((item) => (item.type === 'turn' ? item.turn : referredTurns(item.id, tickets)))
  return joinCalls([...before, ...turns])
}

/** Responses that are looked up at a time. */
const AT_A_TIME = 8

/** Each once, however many items of it are referred to. The first one that is not there is the last that is looked for. */
async function findByTails(
  instance: FastifyInstance,
  request: FastifyRequest,
  tails: readonly string[],
): Promise<ReadonlyMap<string, Ticket>> {
  const found = new Map<string, Ticket>()
  const left = [...tails]
  const work = async () => {
    for (let tail = left.shift(); tail !== undefined; tail = left.shift()) {
      const ticket = await findByTail(instance, request, tail)
      if (ticket === undefined) left.length = 0
      else found.set(tail, ticket)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, tails.length) }, work))
  return found
}

interface ItemId {
  readonly kind: string
  /** Of its response. */
  readonly tail: string
  readonly number: number
}

function readItemId(id: string): ItemId | undefined {
  const [, kind, tail, number] = /^(msg|rs|fc)_([\w-]{1,64}?)(?:_(\d{1,4}))?$/.exec(id) ?? []
  return kind === undefined || tail === undefined ? undefined : { kind, tail, number: Number(number) }
}

/** Thoughts are dropped, as they are where they come whole. */
function referredTurns(id: string, tickets: ReadonlyMap<string, Ticket>): readonly Turn[] {
  const item = readItemId(id)
  const ticket = item && tickets.get(item.tail)
  const [answer] = turnsOf(ticket && 'outcome' in ticket.state ? ticket.state.outcome : undefined) ?? []
  if (item === undefined || answer === undefined) throw notFound('item', id)
  if (item.kind === 'rs') return []
  if (item.kind === 'msg') return [{ role: 'assistant', content: answer.content ?? '' }]
  const call = answer.tool_calls?.[item.number]
  if (call === undefined) throw notFound('item', id)
  return [{ role: 'assistant', content: null, tool_calls: [call] }]
}
