import type { AttemptRecord, Usage } from '@ai-ticket/core'
import type { DeliveryStatus } from './delivery.ts'
import type { Ticket, TicketStatus } from './ticket.ts'

/** What a list shows of a ticket; read without its event and its answer, which may be large. Times in ms since 1970. */
export interface TicketRow {
  /** `tkt_` and a UUID. */
  readonly id: string
  /** The `id` of its event. */
  readonly eventId: string
  /** `event`: it was answered at once, and is only recorded. */
  readonly kind: Ticket['kind']
  /** As in `TicketState`. */
  readonly status: TicketStatus
  /** The name of the API key; empty without keys. */
  readonly caller: string
  /** -100 to 100, higher first. */
  readonly priority: number
  /** When it was accepted. */
  readonly createdAt: number
  /** Of two that were accepted in the same millisecond, the greater one is first in a list. */
  readonly seq: number
  /** Start of the first run. Absent: it has not run yet. */
  readonly startedAt?: number
  /** Absent: it has not ended. */
  readonly finishedAt?: number
  /** The id of the ticket that it repeats. */
  readonly replayOf?: string
  /** How often it was given to a worker. */
  readonly runs: number
  /** That of the call that runs; else of the answer; of one that has none yet, the backend that its event asks for. */
  readonly backend?: string
  /** Of the answer; of one that has none yet, the model that its event asks for. */
  readonly model?: string
  /** The failure code of the outcome. */
  readonly error?: string
  /** Of its callback. `waiting`: the ticket has not ended. Absent: it has none. */
  readonly callback?: DeliveryStatus | 'waiting'
  /** What lies inside the event and the outcome, in short. */
  readonly summary: TicketSummary
}

/** A row without the answer to whether there are more. */
export interface TicketRowPage {
  /** Newest first; may be fewer than asked for, though more follow. */
  readonly rows: readonly TicketRow[]
  /** Absent: this is the last page. */
  readonly nextCursor?: string
}

/** The parts of a row that lie inside the event and the outcome. Stores keep them beside these. */
export interface TicketSummary extends RowFacts {
  /** The first characters of what was asked; null: the content is not kept. */
  readonly prompt: string | null
  /** The first characters of the answer; null: there is none, or it is not kept. */
  readonly answer: string | null
  /** Milliseconds that backends worked for nothing: calls that were sent and gave no answer. */
  readonly wastedMs: number
}

/** What is read of the outcome, or of the runs so far. */
export interface RowFacts {
  /** The API by which it came in. Here, for SQLite finds it in the ticket only behind a large event. */
  readonly door?: string
  /** Calls of all runs that have ended. */
  readonly attempts: number
  /** From its acceptance to the start of its first run, and what the last run stood in line, in ms. Of one that has ended. */
  readonly waitedMs?: number
  /** Of the last call that was streamed, in ms. */
  readonly firstTokenMs?: number
  /** Of the run that ended it, in ms. */
  readonly durationMs?: number
  /** Tokens of the answer. Null: there is none, or the server does not know. */
  readonly usage: Usage | null
}

/** Characters of a prompt or an answer that a row shows. */
const SHOWN = 160

export function summaryOf(ticket: Ticket): TicketSummary {
  const { event, state, attempts, createdAt, startedAt = createdAt, door } = ticket
  const outcome = 'outcome' in state ? state.outcome : undefined
  const firstTokenMs = attempts.findLast((one) => one.first_token_ms !== undefined)?.first_token_ms
  return {
    prompt: event === null ? null : beginningOf(promptOf(event.content)),
    // Where no content is kept, the answer is empty.
    answer: event === null || outcome?.completion === undefined ? null : beginningOf(outcome.completion),
    ...(door !== undefined && { door }),
    attempts: attempts.length,
    ...(outcome && {
      waitedMs: Math.max(0, startedAt - createdAt) + (outcome.waited_ms ?? 0),
      durationMs: outcome.duration_ms,
    }),
    ...(firstTokenMs !== undefined && { firstTokenMs }),
    usage: outcome?.usage ?? null,
    wastedMs: wastedMsOf(ticket),
  }
}

/** Of all runs that have ended. */
export const wastedMsOf = ({ attempts }: Pick<Ticket, 'attempts'>): number =>
  attempts.reduce((sum, attempt) => sum + wastedBy(attempt), 0)

/** A call that was not sent, or met an endpoint that is not there, cost no work. */
const wastedBy = ({ result, stopped, duration_ms }: AttemptRecord): number =>
  result === 'completed' || result === 'endpoint_missing' || stopped === 'not_sent' ? 0 : duration_ms

/** Never half of a pair of surrogates. */
const beginningOf = (text: string): string =>
  text.length <= SHOWN ? text : text.slice(0, SHOWN).replace(/[\uD800-\uDBFF]$/, '')

/** What a person would call the prompt: of a conversation, the last turn of its user. Any shape can be shown. */
function promptOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (Array.isArray(content)) return promptOfList(content)
  if (typeof content !== 'object' || content === null) return ''
  const { messages, prompt } = content as Readonly<Record<string, unknown>>
  if (Array.isArray(messages)) return promptOfList(messages)
  return typeof prompt === 'string' ? prompt : writeJson(content)
}

function promptOfList(list: readonly unknown[]): string {
  const last = list.findLast((item) => !isObject(item) || item.role === 'user') ?? list.at(-1)
  if (typeof last === 'string') return last
  if (!isObject(last)) return ''
  if ('content' in last) return Array.isArray(last.content) ? textOfParts(last.content) : textOf(last.content)
  return textOfParts(list)
}

/** Images have no words. */
const textOfParts = (parts: readonly unknown[]): string =>
  parts.flatMap((part) => (isObject(part) && typeof part.text === 'string' ? part.text : [])).join('\n')

const textOf = (value: unknown): string => (typeof value === 'string' ? value : writeJson(value ?? ''))

/** A content that holds `bigint` has been refused before, but may have been recorded. */
function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return ''
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
