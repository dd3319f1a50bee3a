import { randomUUID } from 'node:crypto'
import type { EventOptions, Failure, Outcome } from '@ai-ticket/core'
import {
  answerInStream,
  answerWhole,
  type HttpReply,
  openAiErrorReply,
  openAiFailure,
  sendReply,
} from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { type AskedResponse, readResponseRequest } from './read-response-request.ts'
import { MARK, type ResponseMark, type ResponseParts, responseBody, statusOf } from './response-body.ts'
import { ResponsesDialect } from './responses-dialect.ts'
import { conversationBefore, refusedField, resolveItems } from './stored-responses.ts'
import { addStoredRoutes, partsOf, streamStored } from './stored-routes.ts'

/** For `responsesDoor`. */
export interface ResponsesDoorOptions {
  /**
   * Whether the prompts and answers of events without a ticket are kept (`history: 'full'`). Default false: then answers
   * say `store: false`, and only those of background responses can be asked for later. A function is asked at each request.
   */
  readonly keepsHistory?: boolean | (() => boolean)
  /** Largest body in bytes. Default 16 MiB. */
  readonly bodyLimitBytes?: number
}

/** What callers of this format take for granted. */
const RESPONSE_OPTIONS: EventOptions = { takesAnyTurn: true, maxTokensIsCeiling: true, partials: false }

/**
 * OpenAI's Responses, for a server made by `createServer`: `server.register(responsesDoor)`. `POST /v1/responses`, whole,
 * in a stream, and in the background as a ticket; where `ticketRoutes` of `@ai-ticket/tickets` is registered as well,
 * responses that are stored can be asked for, followed, cancelled, deleted and gone on with.
 *
 * A reader of a background response may leave: it runs on. A reader who leaves any other response stops the GPU.
 */
export const responsesDoor: FastifyPluginCallback<ResponsesDoorOptions> = fastifyPlugin(
  (instance: FastifyInstance, options: ResponsesDoorOptions, done: () => void) => {
    const { keepsHistory = false, bodyLimitBytes = 16 * 1_024 * 1_024 } = options
    addCreateRoute(instance, { keepsHistory, bodyLimitBytes })
    addStoredRoutes(instance)
    done()
  },
  { name: '@ai-ticket/doors/responses', fastify: '5.x' },
)

const isTrue = (option: boolean | (() => boolean)): boolean =>
  typeof option === 'boolean' ? option : option()

const described = () => import('./responses-operations.ts')

function addCreateRoute(
  instance: FastifyInstance,
  { keepsHistory, bodyLimitBytes }: Required<ResponsesDoorOptions>,
): void {
  const openapi = async () => (await described()).postResponse
  const config = { scopes: ['events'] as const, openapi, door: 'responses' }
  instance.post('/v1/responses', { bodyLimit: bodyLimitBytes, config }, async (request, reply) => {
    const read = readResponseRequest(request.body)
    if (!read.ok) return refuse(reply, read.failure)
    // What is needed of it is read, and an event lives longer.
    request.body = undefined
    const asked = read.value
    const event = await eventOf(instance, request, asked)
    if (asked.background) return answerLater(instance, { request, reply }, { event, stream: asked.stream })
    return answerNow(
      instance,
      { request, reply },
      { event, asked, isStored: asked.store && isTrue(keepsHistory) },
    )
  })
}

type Event = Readonly<Record<string, unknown>>

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

const refuse = (reply: FastifyReply, failure: Failure): FastifyReply =>
  sendReply(reply, openAiErrorReply(failure))

/** The event of a request: its instructions, what was said before, and its input. */
async function eventOf(
  instance: FastifyInstance,
  request: FastifyRequest,
  asked: AskedResponse,
): Promise<Event> {
  const { instructions, previous, model, parameters, metadata, mayDropOldest, store } = asked
  const before = previous === undefined ? [] : await conversationBefore(instance, request, previous)
  const messages = [
    ...(instructions === undefined ? [] : [{ role: 'system', content: instructions }]),
    ...(await resolveItems(instance, request, { before, items: asked.items })),
  ]
  const mark: ResponseMark = {
    ...(instructions === undefined ? {} : { instructions: true }),
    ...(previous === undefined ? {} : { previous }),
    ...(store ? {} : { store: false }),
  }
  return {
    content: { messages },
    parameters,
    metadata: { ...metadata, [MARK]: mark },
    ...(model === undefined ? {} : { model }),
    ...(mayDropOldest ? { context_policy: 'drop_oldest' } : {}),
  }
}

/** As a ticket. The answer goes out when it is on disk; with `stream` the connection is only a view of it. */
async function answerLater(
  instance: FastifyInstance,
  { request, reply }: Exchange,
  { event, stream }: { readonly event: Event; readonly stream: boolean },
): Promise<FastifyReply> {
  if (!instance.hasDecorator('tickets')) {
    return refuse(reply, refusedField('`background` is not possible: this server keeps no tickets.'))
  }
  const { ticket, isKnown } = await instance.tickets.accept(request, event, {
    wantsStream: stream,
    isChat: true,
    door: 'responses',
  })
  if (isKnown) reply.header('idempotency-replayed', 'true')
  if (stream) return streamStored(instance, { request, reply }, { ticket, startingAfter: -1 })
  reply.header('cache-control', 'no-store')
  return reply.send(responseBody(partsOf(ticket)))
}

interface Asked {
  readonly event: Event
  readonly asked: AskedResponse
  readonly isStored: boolean
}

/** Whole or in a stream, to a caller who waits for it. */
function answerNow(
  { desk }: FastifyInstance,
  { request, reply }: Exchange,
  { event, asked, isStored }: Asked,
): Promise<FastifyReply> {
  const tail = randomUUID()
  const exchange = {
    ...{ request, reply, options: { ...RESPONSE_OPTIONS, ...(asked.madeOf && { madeOf: asked.madeOf }) } },
    event: { ...event, id: `evt_${tail}` },
  }
  const wallTime = () => desk.clock.wallTime()
  const createdAt = wallTime()
  const started = { tail, event, background: false, store: isStored, createdAt }
  if (asked.stream) return answerInStream(exchange, desk, new ResponsesDialect(started, wallTime))
  return answerWhole(exchange, desk, (outcome) =>
    wholeReply({ ...started, completedAt: wallTime() }, outcome),
  )
}

function wholeReply(parts: Omit<ResponseParts, 'status' | 'outcome'>, outcome: Outcome): HttpReply {
  if (outcome.error !== undefined) return openAiErrorReply(openAiFailure(outcome))
  return { status: 200, headers: {}, body: responseBody({ ...parts, status: statusOf(outcome), outcome }) }
}
