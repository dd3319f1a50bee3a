import type * as v from 'valibot'
import type { GenerationRequest } from '../../contract/backend.ts'
import { mostToolTokens } from '../../contract/prompt.ts'
import { type AnySchema, askFor } from '../http/ask-for.ts'
import { defined, type RequestBody, toMessage, writeBody } from '../http/request-body.ts'
import { renderTurns } from '../http/transcript.ts'
import { type OpenAIContext, turnsFor } from './openai-call.ts'
import { templateReply, tokenizeReply } from './wire.ts'

/**
 * Tokens of the prompt by the server's own tokenizer, tags of its chat template included. vLLM counts messages;
 * llama.cpp writes them as a text first, and one too old for that counts our transcript. Undefined: the server cannot
 * count, which is asked once, or not this prompt. Hosted services, whose paths are their own, are not asked.
 */
export async function countTokens(
  context: OpenAIContext,
  request: GenerationRequest,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (context.root.api !== '/v1') return undefined
  const model = context.models.toSend(request.model)
  const turns = turnsFor(context, request)
  const messages = { messages: turns.map(toMessage), ...defined({ tools: request.parameters.tools }) }
  if (context.tokenizer !== 'content') {
    const found = await ask(context, {
      path: '/tokenize',
      body: { ...defined({ model }), ...messages },
      signal,
      schema: tokenizeReply,
    })
    if (typeof found?.count === 'number') {
      context.tokenizer = 'messages'
      return found.count
    }
    // llama.cpp knows no messages here: of nothing there are no tokens.
    if (!found?.tokens) return undefined
    context.tokenizer = 'content'
  }
  const written = await ask(context, {
    path: '/apply-template',
    body: messages,
    signal,
    schema: templateReply,
  })
  const content = written?.prompt ?? renderTurns(turns, context.template)
  const tools = written?.prompt ? 0 : mostToolTokens(request.parameters.tools, turns)
  // As its chat endpoint does: the first token, and tags as tags.
  const body = { content, add_special: true, parse_special: true }
  const found = await ask(context, { path: '/tokenize', body, signal, schema: tokenizeReply })
  return found?.tokens ? found.tokens.length + tools : undefined
}

interface Question<Schema> {
  readonly path: string
  readonly body: RequestBody
  readonly schema: Schema
  readonly signal: AbortSignal
}

/** Undefined: there is no such path, which is remembered, or this body was refused. */
async function ask<Schema extends AnySchema>(
  { client, name, missing }: OpenAIContext,
  { path, body, schema, signal }: Question<Schema>,
): Promise<v.InferOutput<Schema> | undefined> {
  if (missing.has(path)) return undefined
  const place = { backend: name, endpoint: path.slice(1) }
  const { response, text, value } = await askFor({
    client,
    path,
    body: writeBody(place, body),
    schema,
    place,
    signal,
  })
  // LM Studio answers 200 to any path; it says an error then, and no tokens.
  // vLLM answers 404 to a model it does not know, too.
  const isThere = response.ok ? isAnswer(value) : !MISSING.has(response.status) || /\bmodel\b/i.test(text)
  if (!isThere) missing.add(path)
  return value
}

const MISSING: ReadonlySet<number> = new Set([404, 405, 501])

const isAnswer = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).some((field) => field !== undefined && field !== null)
