import { FAILURES, type Failure } from '@ai-ticket/core'
import { RequestProblem, replyToFailure } from '@ai-ticket/http-server'
import type { BatchEntry } from '@ai-ticket/http-server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { acceptEvent } from './accept-event.ts'
import { readOrigin } from './read-event.ts'
import { type TicketBody, ticketBody } from './ticket-body.ts'
import type { TicketContext } from './ticket-context.ts'
import { problem } from './ticket-context.ts'

/** The result for one event of a batch. `source` and `id` are null where they cannot be read. */
interface EntryBody {
  readonly source: string | null
  readonly id: string | null
  /** The status that the event alone would have been answered with. */
  readonly status: number
  readonly ticket?: TicketBody
  readonly error?: string
  readonly details?: string
}

/**
 * Takes in each event of a batch as if it had come alone, all at once, so that they share a commit. `202`, and an entry for
 * each in their order. Where the server could take none at all, it says so as for a single event, so that the sender
 * comes back; what was accepted is not accepted twice. Throws a `RequestProblem`.
 */
export async function acceptBatch(
  context: TicketContext,
  exchange: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  entries: readonly BatchEntry[],
): Promise<FastifyReply> {
  const { request, reply } = exchange
  if (request.headers['idempotency-key'] !== undefined) {
    throw problem(
      'invalid_request',
      'An Idempotency-Key is for one event. In a batch, source and id of each are its key.',
    )
  }
  const answers = await Promise.all(entries.map((entry) => acceptEntry(context, request, entry)))
  const refusals = answers.flatMap(({ failure }) => failure ?? [])
  const [first] = refusals
  if (first !== undefined && refusals.length === answers.length && refusals.every(isOurs))
    throw new RequestProblem(first)
  return reply.code(202).send({ object: 'list', data: answers.map(({ body }) => body) })
}

/** The server is the reason, not the event: it may be sent again. */
const isOurs = (failure: Failure): boolean => FAILURES[failure.code].passes !== 'never'

interface EntryAnswer {
  readonly body: EntryBody
  readonly failure?: Failure
}

async function acceptEntry(
  context: TicketContext,
  request: FastifyRequest,
  entry: BatchEntry,
): Promise<EntryAnswer> {
  if ('failure' in entry) return refused(entry.failure, entry)
  const { id, source } = entry.cloudEvent
  try {
    const { ticket } = await acceptEvent(context, request, readOrigin(entry), entry)
    return { body: { source, id, status: 202, ticket: ticketBody(ticket, context) } }
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error
    return refused(error.failure, { id, source })
  }
}

function refused(failure: Failure, named: { readonly id?: string; readonly source?: string }): EntryAnswer {
  const { source = null, id = null } = named
  const { code: error, details } = failure
  return { failure, body: { source, id, status: replyToFailure(failure).status, error, details } }
}
