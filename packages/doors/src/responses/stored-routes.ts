import type { Failure } from '@ai-ticket/core'
import { openEventStream, RequestProblem } from '@ai-ticket/http-server'
import type { Ticket } from '@ai-ticket/tickets'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Turn } from './read-input.ts'
import { conversationOf, markOf, type ResponseParts, responseBody, statusOf } from './response-body.ts'
import { ResponseFrames } from './response-frames.ts'
import { findResponse, refusedField } from './stored-responses.ts'

interface Named {
  readonly Params: { readonly id: string }
  readonly Querystring: Readonly<Record<string, unknown>>
}

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

const described = (
  name: 'getResponse' | 'postResponseCancel' | 'deleteResponse' | 'getResponseInputItems',
  scopes: readonly ('events' | 'read')[],
) => ({ scopes, openapi: async () => (await import('./responses-operations.ts'))[name] })

/** Looking at stored responses, following, cancelling and deleting them. */
export function addStoredRoutes(instance: FastifyInstance): void {
  const see = ['events', 'read'] as const
  const find = (request: FastifyRequest<Named>) => findResponse(instance, request, request.params.id)

  instance.get<Named>(
    '/v1/responses/:id',
    { config: described('getResponse', see) },
    async (request, reply) => {
      const ticket = await find(request)
      if (request.query.stream === 'true') {
        const startingAfter = numberOf(request.query.starting_after)
        return streamStored(instance, { request, reply }, { ticket, startingAfter })
      }
      return show(reply, ticket)
    },
  )

  instance.get<Named>(
    '/v1/responses/:id/input_items',
    { config: described('getResponseInputItems', see) },
    async (request, reply) => {
      const data = inputItemsOf(await find(request))
      const [first, last] = [data[0]?.id ?? null, data.at(-1)?.id ?? null]
      reply.header('cache-control', 'no-store')
      return reply.send({ object: 'list', data, first_id: first, last_id: last, has_more: false })
    },
  )

  instance.post<Named>(
    '/v1/responses/:id/cancel',
    { config: described('postResponseCancel', ['events']) },
    async (request, reply) => {
      const ticket = await find(request)
      if (ticket.kind !== 'ticket') {
        const details =
          'Only a response with `background` can be cancelled. Hang up on the others to stop them.'
        throw new RequestProblem(refusedField(details))
      }
      return show(reply, await instance.tickets.cancel(request, reply, ticket))
    },
  )

  instance.delete<Named>(
    '/v1/responses/:id',
    { config: described('deleteResponse', ['events']) },
    async (request, reply) => {
      const ticket = await find(request)
      if (!(await instance.tickets.remove(request, reply, ticket))) {
        throw new RequestProblem({
          code: 'conflict',
          details:
            'The response is being cancelled and has not stopped yet. Delete it again in a few seconds.',
        })
      }
      return reply.send({ id: request.params.id, object: 'response', deleted: true })
    },
  )
}

function show(reply: FastifyReply, ticket: Ticket): FastifyReply {
  reply.header('cache-control', 'no-store')
  return reply.send(responseBody(partsOf(ticket)))
}

/** A ticket, seen as a response. */
export function partsOf({ id, eventId, kind, event, createdAt, state }: Ticket): ResponseParts {
  return {
    tail: kind === 'ticket' ? id.replace(/^tkt_/, '') : eventId.replace(/^evt_/, ''),
    event,
    background: kind === 'ticket',
    store: true,
    createdAt,
    ...('outcome' in state
      ? { status: statusOf(state.outcome), outcome: state.outcome, completedAt: state.finishedAt }
      : { status: state.status }),
  }
}

/**
 * A stored response as a stream, from its beginning or behind a number: what it has said so far, and what comes. Its reader
 * may go without ending anything. Where it cannot be followed to its end, the reply breaks off behind an `error`.
 */
export async function streamStored(
  { tickets, desk }: FastifyInstance,
  { request, reply }: Exchange,
  { ticket, startingAfter }: { readonly ticket: Ticket; readonly startingAfter: number },
): Promise<FastifyReply> {
  const { tail, event, background, store, createdAt } = partsOf(ticket)
  const frames = new ResponseFrames(
    { tail, event, background, store, createdAt },
    { wallTime: () => desk.clock.wallTime(), startingAfter },
  )
  const stream = openEventStream(reply, desk)
  let said = { run: 0, length: 0 }
  try {
    await stream.write(frames.start('queued'))
    for await (const news of tickets.follow(reply, ticket)) {
      if (news.type === 'ended') {
        stream.end('outcome' in news.ticket.state ? frames.end(news.ticket.state.outcome) : '')
        return reply
      } else if (news.type === 'status') {
        // One that has ended is told from the start of the run that did: its events have the same numbers each time.
        if (news.status === 'queued' || said.run === news.run) continue
        said = { run: news.run, length: 0 }
        await stream.write(frames.run(news.run))
      } else {
        const text = news.text.slice(said.run === news.run ? said.length : 0)
        said = { run: news.run, length: news.text.length }
        await stream.write(frames.delta({ text }))
      }
    }
    stream.breakOff(frames.broken(STOPPING))
  } catch (error) {
    desk.logger.error('stream failed', { request_id: request.id, ticket_id: ticket.id, error })
    stream.breakOff(frames.broken(error instanceof RequestProblem ? error.failure : BUG))
  } finally {
    stream.release()
  }
  return reply
}

const STOPPING: Failure = {
  code: 'shutting_down',
  details: 'The server stops. The response goes on when it is back: ask for it again.',
}

const BUG: Failure = {
  code: 'internal_error',
  details: 'The stream of this response broke because of a bug. Ask for the response again.',
}

type Item = Readonly<Record<string, unknown>> & { readonly id: string }

/** What was sent, its instructions left out, in the words of this dialect. */
function inputItemsOf(ticket: Ticket): readonly Item[] {
  const { tail } = partsOf(ticket)
  const turns = conversationOf(ticket.event)
  const input = markOf(ticket.event).instructions ? turns.slice(1) : turns
  return input.flatMap((turn, index) => itemsOf(turn, `${tail}_${index}`))
}

function itemsOf({ role, content, tool_calls = [], tool_call_id }: Turn, tail: string): readonly Item[] {
  if (role === 'tool') {
    const output = content ?? ''
    return [{ type: 'function_call_output', id: `fco_${tail}`, call_id: tool_call_id, output }]
  }
  const type = role === 'assistant' ? 'output_text' : 'input_text'
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])
  const message = {
    ...{ type: 'message', id: `msgin_${tail}`, role, status: 'completed' },
    content: parts.map((part) =>
      part.type === 'text'
        ? { type, text: part.text, ...(type === 'output_text' && { annotations: [] }) }
        : { type: 'input_image', image_url: imageUrlOf(part.image_url), detail: 'auto' },
    ),
  }
  const calls = tool_calls.map((call, index) => {
    const { name, arguments: words } = call.function as { readonly name: string; readonly arguments: string }
    return {
      ...{ type: 'function_call', id: `fcin_${tail}_${index}`, call_id: call.id },
      ...{ name, arguments: words, status: 'completed' },
    }
  })
  return [...(parts.length === 0 ? [] : [message]), ...calls]
}

const imageUrlOf = (image: unknown): unknown =>
  typeof image === 'object' && image !== null && 'url' in image ? image.url : image

/** -1: from the beginning. */
function numberOf(value: unknown): number {
  const number = Number(value ?? -1)
  if (!Number.isSafeInteger(number) || number < -1) {
    throw new RequestProblem(refusedField('`starting_after` must be the `sequence_number` of an event.'))
  }
  return number
}
