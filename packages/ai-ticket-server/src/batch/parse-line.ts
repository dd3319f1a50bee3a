import type { FailureCode } from '@ai-ticket/core'
import {
  type HttpReply,
  type OpenAiRequest,
  parseJsonBody,
  RequestProblem,
  readOpenAiRequest,
} from '@ai-ticket/http-server'
import { type InputLine, MAX_LINE_BYTES } from './read-lines.ts'

/** What a line asks for. `id` is the caller's, where it has one. */
export type Task =
  | { readonly type: 'event'; readonly id?: string; readonly event: unknown }
  | { readonly type: 'openai'; readonly id: string; readonly request: OpenAiRequest }
  /** The server's own reply says what is wrong; nobody is asked. */
  | { readonly type: 'openai_refused'; readonly id: string; readonly reply: HttpReply }
  /** A line of neither kind. `isOpenAi`: it looks like one of OpenAI's, and is answered like one. */
  | {
      readonly type: 'wrong'
      readonly id?: string
      readonly isOpenAi: boolean
      readonly code: FailureCode
      readonly details: string
    }

/** A line of events or of OpenAI's batch files. Never throws; details never quote the line. */
export function parseLine({ bytes }: InputLine): Task {
  if (bytes === undefined) {
    const details = `The line is longer than ${MAX_LINE_BYTES / 1_048_576} MiB. Send it to POST /event instead.`
    return { type: 'wrong', isOpenAi: false, code: 'payload_too_large', details }
  }
  try {
    return taskOf(parseJsonBody(bytes, 'The line'))
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error
    const { code, details } = error.failure
    return { type: 'wrong', isOpenAi: false, code, details }
  }
}

function taskOf(value: unknown): Task {
  if (typeof value === 'string') return { type: 'event', event: { content: value } }
  if (!isRecord(value)) return { type: 'event', event: value }
  if (!('content' in value) && ('custom_id' in value || ('url' in value && 'body' in value))) {
    return openAiTask(value)
  }
  return { type: 'event', ...(typeof value.id === 'string' && { id: value.id }), event: value }
}

function openAiTask({ custom_id: id, method, url, body }: Readonly<Record<string, unknown>>): Task {
  const wrong = (details: string): Task => ({
    type: 'wrong',
    ...(typeof id === 'string' && { id }),
    isOpenAi: true,
    code: 'invalid_input_format',
    details,
  })
  if (typeof id !== 'string' || id === '')
    return wrong('`custom_id` must be a text, and each line needs its own.')
  if (method != null && method !== 'POST') return wrong('`method` must be POST.')
  const read = readOpenAiRequest(String(url), body)
  switch (read.type) {
    case 'unknown_path':
      return wrong(`\`url\` must be ${read.known.join(' or ')}.`)
    case 'refused':
      return { type: 'openai_refused', id, reply: read.reply }
    case 'request':
      return { type: 'openai', id, request: read.request }
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
