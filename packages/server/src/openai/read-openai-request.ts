import type { EventOptions, Outcome } from '@ai-ticket/core'
import type { HttpReply } from '../http/reply.ts'
import { chatShape, completionBody, textShape } from './completion-body.ts'
import { errorReply, outcomeFailure } from './error-reply.ts'
import { readChatRequest, readTextRequest } from './read-request.ts'

/** What a request of OpenAI's dialect asks of the desk, and how its outcome is told. */
export interface OpenAiRequest {
  /** For a dispatcher, which checks types and ranges. */
  readonly event: Readonly<Record<string, unknown>>
  /** How it is to be asked. */
  readonly options: FormatOptions
  /** `createdAt`: milliseconds since 1970. */
  readonly replyTo: (outcome: Outcome, createdAt: number) => HttpReply
}

/**
 * How the reading of a request ended: with an event, with the reply to send at once, or with no route of that path.
 */
export type OpenAiRequestRead =
  | { readonly type: 'request'; readonly request: OpenAiRequest }
  /** The answer, without asking anybody. */
  | { readonly type: 'refused'; readonly reply: HttpReply }
  | { readonly type: 'unknown_path'; readonly known: readonly string[] }

/** What callers of OpenAI's format take for granted. */
export type FormatOptions = Pick<
  EventOptions,
  'continues' | 'takesAnyTurn' | 'maxTokensIsCeiling' | 'partials' | 'madeOf'
>

export const CHAT_OPTIONS: FormatOptions = { takesAnyTurn: true, maxTokensIsCeiling: true, partials: false }

/** The text is gone on with. */
export const TEXT_OPTIONS: FormatOptions = { ...CHAT_OPTIONS, continues: true }

const DIALECT = new Map([
  ['/v1/chat/completions', { read: readChatRequest, shape: chatShape, options: CHAT_OPTIONS }],
  ['/v1/completions', { read: readTextRequest, shape: textShape, options: TEXT_OPTIONS }],
])

/**
 * OpenAI's dialect without HTTP, for lines of a batch file: the same events, bodies and errors as `POST /v1/…` has.
 * Answers are whole; `stream` is ignored.
 */
export function readOpenAiRequest(path: string, body: unknown): OpenAiRequestRead {
  const route = DIALECT.get(path)
  if (route === undefined) return { type: 'unknown_path', known: [...DIALECT.keys()] }
  const asked = route.read(body)
  if (!asked.ok) return { type: 'refused', reply: errorReply(asked.failure) }
  const { event, model, madeOf } = asked.value
  const replyTo = (outcome: Outcome, createdAt: number): HttpReply => {
    if (outcome.error !== undefined) return errorReply(outcomeFailure(outcome))
    const context = { shape: route.shape, model, created: Math.floor(createdAt / 1_000) }
    return { status: 200, headers: {}, body: completionBody(outcome, context) }
  }
  return {
    type: 'request',
    request: { event, options: { ...route.options, ...(madeOf && { madeOf }) }, replyTo },
  }
}
