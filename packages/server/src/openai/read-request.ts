import type { Failure } from '@ai-ticket/core'
import type { ReadCompletion } from './asked-completion.ts'
import { findUnsupported } from './find-unsupported.ts'

type Body = Readonly<Record<string, unknown>>

/** `content` of the event, or what is wrong with the messages or the prompt. */
export type ReadContent =
  | { readonly ok: true; readonly content: object }
  | { readonly ok: false; readonly failure: Failure }

/** Handed on to the backend. The last line is no part of OpenAI's dialect; local servers and their clients know it. */
export const PARAMETERS = [
  ...['max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'presence_penalty', 'frequency_penalty'],
  ...['stop', 'seed', 'logit_bias', 'tools', 'tool_choice', 'response_format'],
  ...['top_k', 'min_p', 'repetition_penalty', 'grammar'],
]

/** What chats and completions have in common: everything but the text itself. */
export function readCompletion(body: unknown, readContent: (body: Body) => ReadContent): ReadCompletion {
  if (!isRecord(body)) return refuse('The body must be a JSON object.')
  const { stream, stream_options, model } = body
  if (stream != null && typeof stream !== 'boolean') return refuse('`stream` must be true or false.')
  const unsupported = findUnsupported(body)
  if (unsupported) return { ok: false, failure: unsupported }
  const read = readContent(body)
  if (!read.ok) return read
  return {
    ok: true,
    value: {
      event: { content: read.content, model, parameters: parametersOf(body) },
      model: typeof model === 'string' ? model : undefined,
      stream: stream === true,
      includeUsage: isRecord(stream_options) && stream_options.include_usage === true,
    },
  }
}

function parametersOf(body: Body): Body {
  const parameters: Record<string, unknown> = {}
  for (const name of PARAMETERS) {
    if (body[name] != null) parameters[name] = body[name]
  }
  // The newer name wins, as at OpenAI.
  if (parameters.max_completion_tokens !== undefined) delete parameters.max_tokens
  return parameters
}

export const isRecord = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const refuse = (details: string): ReadCompletion => ({
  ok: false,
  failure: { code: 'invalid_input_format', details },
})
