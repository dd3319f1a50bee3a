import { hash, randomUUID } from 'node:crypto'
import type { Outcome } from '@ai-ticket/core'
import { storableTime } from './stored-value.ts'
import type { Ticket, TicketState } from './ticket.ts'

/** All times are milliseconds since 1970. */
export interface NewTicket {
  /** The event as JSON; its `id` is `eventId`. */
  readonly event: Readonly<Record<string, unknown>>
  /** Its own id, or one made for it. */
  readonly eventId: string
  /** The name of the API key; empty without keys. */
  readonly caller: string
  /** Who takes turns with the others, and has a share of the places. Default: the caller. */
  readonly sender?: string
  /** Headers of the trace that it belongs to (`traceparent`, `tracestate`). Default: none. */
  readonly trace?: Readonly<Record<string, string>>
  /** -100 to 100, higher first. Default 0. One step is worth 30 s of waiting. */
  readonly priority?: number
  /** Not claimed before. Default: at once. */
  readonly notBefore?: number
  /** A ticket that has not begun to run by then fails. Default: never. */
  readonly expiresAt?: number
  /** The API by which it came in. Default: not said. */
  readonly door?: string
  /** The id of the ticket that it repeats. Default: none. */
  readonly replayOf?: string
  /** An `http:` or `https:` address that was found to be allowed. */
  readonly callbackUrl?: string
  /** Its caller reads the text as it comes, from the start: its runs are streamed. Default false. */
  readonly wantsStream?: boolean
  /** It came in the format of a chat API: a turn of any role will do, and `max_tokens` is a ceiling. Default false. */
  readonly isChat?: boolean
  /** Default: each request is a new ticket. */
  readonly idempotency?: Idempotency
}

/** The `Idempotency-Key` of a request. */
export interface Idempotency {
  /** Whose key it is; equal keys of different scopes do not meet. */
  readonly scope: string
  /** As its caller sent it. */
  readonly key: string
  /** Of the request: equal ones are the same request. */
  readonly fingerprint: string
  /** The key may be used for another request after that. */
  readonly ttlMs: number
}

/** An event that was answered without a ticket. */
export interface HistoryEntry {
  /** As JSON. Null where the history keeps no content. */
  readonly event: Readonly<Record<string, unknown>> | null
  /** Its own id, or the one that it was given. */
  readonly eventId: string
  /** The name of the API key; empty without keys. */
  readonly caller: string
  /** The API by which it came in. Default: not said. */
  readonly door?: string
  /** As `NewTicket.isChat`. */
  readonly isChat?: boolean
  /** When it was accepted, in milliseconds since 1970. */
  readonly createdAt: number
  /** In milliseconds since 1970. */
  readonly finishedAt: number
  /** What its caller got. */
  readonly outcome: Outcome
}

/** The ticket of an event that waits from now on. */
export function openTicket(given: NewTicket, id: string, now: number): Ticket {
  const { sender, trace, expiresAt, replayOf, callbackUrl, notBefore = now } = given
  return {
    ...blankTicket(given, id, now),
    kind: 'ticket',
    ...(sender === undefined || sender === given.caller ? {} : { sender }),
    ...(trace === undefined ? {} : { trace }),
    priority: given.priority ?? 0,
    ...(expiresAt === undefined ? {} : { expiresAt: storableTime(expiresAt) }),
    ...(replayOf === undefined ? {} : { replayOf }),
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
    ...(given.wantsStream ? { wantsStream: true as const } : {}),
    state: {
      status: 'queued',
      notBefore: storableTime(notBefore),
      ...(given.notBefore === undefined ? { pausedAt: now } : {}),
    },
  }
}

/** The record of an event that has been answered. */
export function recordedTicket(entry: HistoryEntry, id: string): Ticket {
  const { outcome, createdAt, finishedAt } = entry
  return {
    ...blankTicket(entry, id, createdAt),
    kind: 'event',
    startedAt: createdAt,
    attempts: outcome.attempts,
    state: endOf(outcome, finishedAt),
  }
}

function blankTicket(
  {
    event,
    eventId,
    caller,
    door,
    isChat,
  }: Pick<NewTicket, 'eventId' | 'caller' | 'door' | 'isChat'> & Pick<HistoryEntry, 'event'>,
  id: string,
  createdAt: number,
) {
  const counts = { token: 0, runs: 0, retries: 0, crashes: 0 }
  const from = { ...(door === undefined ? {} : { door }), ...(isChat ? { isChat: true as const } : {}) }
  return { id, eventId, event, caller, ...from, priority: 0, createdAt, ...counts, attempts: [] }
}

function endOf(outcome: Outcome, finishedAt: number): TicketState {
  if (outcome.error === undefined) return { status: 'completed', finishedAt, outcome }
  return { status: outcome.error === 'cancelled' ? 'cancelled' : 'failed', finishedAt, outcome }
}

/** A new id `tkt_` + UUID version 7 (RFC 9562): sorts by its time, and cannot be guessed. */
export const createTicketId = (wallTimeMs: number): string => `tkt_${createUuid(wallTimeMs)}`

/** The id of an event that came without one. Sorts by its time, so that new ones lie side by side in an index. */
export const createEventId = (wallTimeMs: number): string => `evt_${createUuid(wallTimeMs)}`

function createUuid(wallTimeMs: number): string {
  const time = Math.trunc(wallTimeMs).toString(16).padStart(12, '0')
  // Version 4 with its first 48 bits replaced by the time: the rest is as random, and drawn from Node's own cache.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

/** Characters that two prompts must have in common to count as begun alike; about 128 tokens. */
const PREFIX_LENGTH = 512
/** Characters of a hash that are kept: 72 bits. */
const HASH_LENGTH = 12

/**
 * How the prompt of an event begins, as a hash: of its instructions where it has any, else of its first 512 characters.
 * Undefined where it is too short for that to matter. A server that has just read one such prompt reads the next one
 * quickly. Events that are written in another way, and mean the same, have another hash.
 */
export function prefixOf(event: Ticket['event']): string | undefined {
  if (event === null) return undefined
  const { content, system, model, schema, parameters } = event
  const turns = turnsOf(content)
  const instructions = typeof system === 'string' ? system : textOf(turns.find(isInstruction))
  const text = instructions.length >= PREFIX_LENGTH ? instructions : beginningOf(instructions, turns)
  if (text.length < PREFIX_LENGTH) return undefined
  const tools = isObject(parameters) ? parameters.tools : undefined
  return hash('sha256', JSON.stringify([model, schema, tools, text]), 'base64url').slice(0, HASH_LENGTH)
}

function beginningOf(instructions: string, turns: readonly unknown[]): string {
  let text = instructions
  for (const turn of turns) {
    if (text.length >= PREFIX_LENGTH) break
    text += textOf(turn)
  }
  return text.slice(0, PREFIX_LENGTH)
}

function turnsOf(content: unknown): readonly unknown[] {
  if (Array.isArray(content)) return content
  if (!isObject(content)) return [content]
  const { messages, prompt } = content
  return Array.isArray(messages) ? messages : [prompt]
}

const isInstruction = (turn: unknown): boolean => isObject(turn) && turn.role === 'system'

function textOf(turn: unknown): string {
  if (typeof turn === 'string') return turn
  if (!isObject(turn)) return ''
  const { content, text } = turn
  if (Array.isArray(content)) return content.map(textOf).join('')
  return [content, text].find((one): one is string => typeof one === 'string') ?? ''
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
