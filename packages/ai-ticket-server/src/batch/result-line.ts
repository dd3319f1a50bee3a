import type { FailureCode, Outcome } from '@ai-ticket/core'
import { EXIT, EXIT_OF_FAILURE } from '../program/exit-codes.ts'
import { type FinishedLine, type LineEnd, MAX_LINES } from './finished-lines.ts'
import type { Task } from './parse-line.ts'

export interface Result extends FinishedLine {
  /** One line of JSON. It begins with what tells its line of the input, so that a later run finds it quickly. */
  readonly text: string
}

interface Place {
  readonly number: number
  readonly hash: string
}

/** The result of a line that was asked. `finishedAt`: milliseconds since 1970. */
export function resultOf(
  place: Place,
  task: Extract<Task, { type: 'event' | 'openai' }>,
  { outcome, finishedAt }: { outcome: Outcome; finishedAt: number },
): Result {
  const end = 'completion' in outcome ? 'answered' : endOf(outcome.error)
  if (task.type === 'event') {
    return write(place, end, {
      ...plainHead(place),
      ...(task.id !== undefined && { id: task.id }),
      ...outcome,
    })
  }
  const { status, body } = task.request.replyTo(outcome, finishedAt)
  const response = { status_code: status, request_id: outcome.id, body }
  return write(place, end, { id: requestId(place), custom_id: task.id, response, error: null })
}

/** The result of a line that nobody has to be asked about. */
export function refusalOf(place: Place, task: Extract<Task, { type: 'openai_refused' | 'wrong' }>): Result {
  if (task.type === 'openai_refused') {
    const { status, body } = task.reply
    const response = { status_code: status, request_id: null, body }
    return write(place, 'refused', { id: requestId(place), custom_id: task.id, response, error: null })
  }
  const { id, code, details, isOpenAi } = task
  if (isOpenAi) {
    const error = { code, message: details }
    return write(place, 'refused', { id: requestId(place), custom_id: id ?? null, response: null, error })
  }
  return write(place, 'refused', {
    ...plainHead(place),
    ...(id !== undefined && { id }),
    error: code,
    details,
  })
}

const write = ({ number, hash }: Place, end: LineEnd, value: object): Result => ({
  number,
  hash,
  end,
  text: `${JSON.stringify(value)}\n`,
})

const plainHead = ({ number, hash }: Place) => ({ line: number, line_hash: hash })

/** To OpenAI's clients any text; to us the line. */
const requestId = ({ number, hash }: Place): string =>
  `batch_req_${number.toString(16).padStart(8, '0')}${hash}`

const PLAIN = /^\{"line":(\d{1,9}),"line_hash":"([0-9a-f]{13})",/
const OPENAI = /^\{"id":"batch_req_([0-9a-f]{8})([0-9a-f]{13})",/

/** Which line a result is of; undefined: this command did not write it. */
export function readResult(
  text: string,
  { isError }: { readonly isError: boolean },
): FinishedLine | undefined {
  const [, decimal, plainHash] = PLAIN.exec(text) ?? []
  const [, hex, openAiHash] = OPENAI.exec(text) ?? []
  const number = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  const hash = plainHash ?? openAiHash
  if (hash === undefined || !(number >= 1 && number <= MAX_LINES)) return undefined
  if (!isError) return { number, hash, end: 'answered' }
  const end = readEnd(text)
  return end && { number, hash, end }
}

/** Whether a torn line is one of ours; after a power cut it may be nothing but zeros. */
export function isBeginOfResult(bytes: Buffer): boolean {
  const text = bytes.subarray(0, 64).toString('latin1').replace(/\0+$/, '')
  return ['{"line":', '{"id":"batch_req_'].some((head) => head.startsWith(text) || text.startsWith(head))
}

interface ErrorLine {
  readonly error?: unknown
  readonly response?: { readonly status_code?: unknown } | null
}

function readEnd(text: string): LineEnd | undefined {
  try {
    const { error, response } = JSON.parse(text) as ErrorLine
    if (response) return REFUSED.includes(Number(response.status_code)) ? 'refused' : 'failed'
    return typeof error === 'string' ? endOf(error as FailureCode) : 'refused'
  } catch {
    return undefined
  }
}

/** What OpenAI's dialect answers to a wrong request. */
const REFUSED: readonly number[] = [400, 404, 413, 415, 422]

const endOf = (code: FailureCode): LineEnd => (EXIT_OF_FAILURE[code] === EXIT.badInput ? 'refused' : 'failed')
