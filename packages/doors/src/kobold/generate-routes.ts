import type { EventOptions, Outcome, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import {
  answerInStream,
  type Exchange,
  eventOptionsOf,
  isGone,
  type StreamOfEvent,
  sendReply,
} from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { callerIn } from './caller.ts'
import type { Generation, Genkeys } from './genkeys.ts'
import { VERSIONS } from './info-routes.ts'
import { koboldDialect } from './kobold-dialect.ts'
import { failureReply, finishOf, KoboldStream, textReply } from './kobold-text.ts'
import type { PerfBook } from './perf-book.ts'
import { readGenerate } from './read-generate.ts'

interface Books {
  readonly genkeys: Genkeys
  readonly perf: PerfBook
}

/** `POST /api/v1/generate` and its stream. A caller that waits hears nothing, as with KoboldCPP; only a full line refuses. */
export function addGenerateRoutes(scope: FastifyInstance, books: Books): void {
  for (const version of VERSIONS) {
    const openapi = async () =>
      (await import('./kobold-operations.ts')).generateOperation(version === 'latest' ? 'Latest' : '')
    scope.post(`/api/${version}/generate`, { config: { ...CONFIG, openapi } }, (request, reply) =>
      answer(request, reply, books, answerText),
    )
  }
  const openapi = async () => (await import('./kobold-operations.ts')).streamOperation
  scope.post('/api/extra/generate/stream', { config: { ...CONFIG, openapi } }, (request, reply) =>
    answer(request, reply, books, answerStream),
  )
}

const CONFIG = { scopes: ['events'] as const, door: 'kobold' }

interface Asking {
  readonly exchange: Exchange
  readonly generation: Generation
  readonly perf: PerfBook
}

type Answer = (asking: Asking) => Promise<FastifyReply>

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { genkeys, perf }: Books,
  how: Answer,
): Promise<FastifyReply> {
  const asked = readGenerate(request.body ?? {})
  if (!asked.ok) return sendReply(reply, koboldDialect.reply(asked.failure, request.id))
  // The event has what is needed of it, and lives longer.
  request.body = undefined
  const { event, options, genkey, wantsNothing } = asked.value
  if (wantsNothing && how === answerText) return sendReply(reply, textReply('', 'length'))
  const generation = genkeys.begin(callerIn(request), { genkey })
  request.cancelSignal = generation.signal
  reply.raw.once('close', () => generation.end())
  return how({ exchange: { request, reply, event, options }, generation, perf })
}

/** An aborted call ends like a whole one, with the text so far. */
async function answerText({ exchange, generation, perf }: Asking): Promise<FastifyReply> {
  const { request, reply } = exchange
  const { desk } = request.server
  const event = desk.prioritise(exchange.event, request)
  const options = eventOptionsOf(exchange, desk)
  try {
    const outcome = await ask(event, options)
    if (wasAborted(outcome, generation)) return sendReply(reply, textReply(generation.text, 'length'))
    if (outcome.error !== undefined) return sendReply(reply, failureReply(outcome, request.id))
    generation.end(outcome.completion)
    perf.answered(outcome)
    return sendReply(reply, textReply(outcome.completion, finishOf(outcome), outcome.usage))
  } catch (error) {
    // Nobody is there to answer.
    if (isGone(options.signal)) return reply.hijack()
    if (!generation.signal.aborted) throw error
    return sendReply(reply, textReply(generation.text, 'length'))
  }

  /** A plain call is the faster one; only what has a key can be looked at meanwhile. */
  async function ask(value: unknown, how: EventOptions): Promise<Outcome> {
    if (generation.genkey === undefined) return desk.dispatcher.onEvent(value, how)
    for await (const event of desk.dispatcher.streamEvent(value, how)) {
      if (event.type === 'delta') generation.add(event.text)
      else if (event.type === 'done' || event.type === 'error') return event.outcome
    }
    throw new Error('The events ended without `done` or `error`.')
  }
}

/** The last event of an aborted stream is like that of a whole one. */
function answerStream({ exchange, generation, perf }: Asking): Promise<FastifyReply> {
  const { desk } = exchange.request.server
  const follow: StreamOfEvent = async function* (value, options) {
    try {
      for await (const event of desk.dispatcher.streamEvent(value, options)) {
        if (event.type === 'delta') generation.add(event.text)
        if (event.type === 'done') {
          generation.end(event.outcome.completion)
          perf.answered(event.outcome)
        }
        yield event.type === 'error' && wasAborted(event.outcome, generation) ? stoppedBy(generation) : event
      }
    } finally {
      generation.end()
    }
  }
  return answerInStream(exchange, desk, new KoboldStream(exchange.request.id), follow)
}

/** Not by a caller who hung up, who is not there to hear anything. */
const wasAborted = ({ error }: Outcome, { signal }: Generation): boolean =>
  error === 'cancelled' && signal.aborted

const stoppedBy = ({ text }: Generation): StreamEvent => ({
  type: 'done',
  outcome: { ...STOPPED, completion: text },
})

const STOPPED: SuccessOutcome = {
  ...{ completion: '', id: '', model: null, backend: '', endpoint: '', duration_ms: 0 },
  ...{ finish_reason: 'length', usage: null, attempts: [] },
}
