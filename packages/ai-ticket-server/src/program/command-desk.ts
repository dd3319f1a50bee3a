import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import {
  type Dispatcher,
  type FailureOutcome,
  type Logger,
  type Outcome,
  parseJson,
  type StreamEvent,
  type SuccessOutcome,
} from '@ai-ticket/core'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import * as v from 'valibot'
import { composeDispatcher, composeLogger } from '../compose/compose-dispatcher.ts'
import { sayProblem } from '../compose/open-backend.ts'
import { keyWith } from '../config/api-keys.ts'
import type { Config, ResolvedConfig } from '../config/config.ts'
import { awayFrom, failureCodeIn, type JsonObject, objectIn, serverOf, strangerAt } from './ask-server.ts'

/** What a command asks: the dispatcher of this process, or a running server. */
export interface EventDesk {
  onEvent(event: unknown, options: { readonly signal: AbortSignal }): Promise<Outcome>
  streamEvent(event: unknown, options: { readonly signal: AbortSignal }): AsyncIterable<StreamEvent>
}

/** So long a server on this machine has to say who it is, in milliseconds; a busy one takes a while. */
const GREETING_MS = 5_000

/**
 * The address of the server that a command asks instead of backends of its own: the one that is named; or, where nothing
 * names a backend, the AI Ticket that listens where this configuration would, for one box belongs to one server.
 */
export async function findServer({ config, origins }: ResolvedConfig): Promise<string | undefined> {
  const url = serverOf(config)
  if (config.server !== '') return url
  if (origins.backends.kind !== 'default') return undefined
  return (await isAiTicket(url)) ? url : undefined
}

/** Whether AI Ticket answers there, with or without keys: another program says nothing like it to a GET of /event. */
async function isAiTicket(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/event`, {
      signal: AbortSignal.timeout(GREETING_MS),
      redirect: 'manual',
    })
    const body = objectIn(await response.text()) ?? {}
    return failureCodeIn(body) !== undefined && typeof body.details === 'string'
  } catch {
    return false
  }
}

/** A running server as a desk. What it cannot be asked is an outcome, too; only the caller's own abort rejects. */
export function serverDesk(url: string, { config: { apiKeys } }: ResolvedConfig): EventDesk {
  const key = keyWith(apiKeys, 'events')
  const headers = {
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  }
  const ask = (event: unknown, accept: string, signal: AbortSignal) =>
    post(`${url}/event`, { headers: { ...headers, accept }, body: JSON.stringify(event), signal })

  return {
    async onEvent(event, { signal }) {
      try {
        return outcomeOf(await text(await ask(event, 'application/json', signal)), url)
      } catch {
        signal.throwIfAborted()
        return failure('api_connection_error', awayFrom(url))
      }
    },
    async *streamEvent(event, { signal }) {
      try {
        const response = await ask(event, 'text/event-stream', signal)
        if (!response.headers['content-type']?.startsWith('text/event-stream')) {
          yield endOf(outcomeOf(await text(response), url))
          return
        }
        for await (const { event: name, data } of framesOf(response)) {
          const isDelta = name === 'delta'
          yield isDelta ? { type: 'delta', text: deltaOf(data) } : endOf(outcomeOf(data, url))
          if (!isDelta) return
        }
        yield endOf(
          failure('api_stream_interrupted', `The server at ${url} ended its stream early. Ask again.`),
        )
      } catch {
        signal.throwIfAborted()
        yield endOf(failure('api_connection_error', awayFrom(url)))
      }
    },
  }
}

/** Not `fetch`, which gives up after five minutes without a byte: a long prompt may take longer. */
function post(
  url: string,
  {
    body,
    ...options
  }: { readonly headers: OutgoingHttpHeaders; readonly body: string; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  const { request } = url.startsWith('https:') ? https : http
  return new Promise((resolve, reject) => {
    request(url, { ...options, method: 'POST' }, resolve)
      .once('error', reject)
      .end(body)
  })
}

async function* framesOf(response: IncomingMessage): AsyncGenerator<EventSourceMessage> {
  const frames: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (frame) => frames.push(frame) })
  for await (const chunk of response.setEncoding('utf8')) {
    parser.feed(chunk)
    yield* frames.splice(0)
  }
}

const Delta = v.object({ text: v.string() })

const deltaOf = (data: string): string => v.parse(Delta, parseJson(data)).text

const endOf = (outcome: Outcome): StreamEvent =>
  outcome.error === undefined ? { type: 'done', outcome } : { type: 'error', outcome }

/** Whatever is no outcome did not come from AI Ticket. */
function outcomeOf(text: string, url: string): Outcome {
  const body = objectIn(text) ?? {}
  if (isAnswer(body)) return body
  const error = failureCodeIn(body)
  if (error !== undefined) return { ...failure(error, String(body.details)), ...body, error }
  return failure('api_response_format_error', strangerAt(url))
}

/** A server of ours says no more and no less: its API description holds it to that. */
const isAnswer = (body: JsonObject): body is JsonObject & SuccessOutcome =>
  typeof body.completion === 'string'

const failure = (error: FailureOutcome['error'], details: string): FailureOutcome => ({
  error,
  details,
  id: '',
  duration_ms: 0,
  attempts: [],
})

/** A desk in this process. */
export interface Desk extends AsyncDisposable {
  readonly config: Config
  readonly dispatcher: Dispatcher
}

/**
 * A desk for one command, in this process. Log lines go to stderr: only warnings and errors unless a level was given.
 * Undefined where a backend cannot be opened; what is wrong has been printed.
 */
export async function openDesk({
  config: given,
  origins,
  warnings,
  notes,
}: ResolvedConfig): Promise<Desk | undefined> {
  const quiet = origins.logLevel.kind === 'default' ? { logLevel: 'warning' } : {}
  const config = { ...given, ...quiet }
  const written = composeLogger(config, process.stderr)
  const logger = 'logLevel' in quiet ? withoutFailures(written) : written
  for (const warning of warnings) logger.warn(warning)
  for (const note of notes) logger.debug(note)
  const dispatcher = await composeDispatcher(config, { logger }).catch(sayProblem)
  if (dispatcher === undefined) return undefined
  return { config, dispatcher, [Symbol.asyncDispose]: () => dispatcher.close() }
}

/** The command itself says how its event failed. */
const withoutFailures = (logger: Logger): Logger => ({
  ...logger,
  warn(message, fields) {
    if (message !== 'event failed') logger.warn(message, fields)
  },
})
