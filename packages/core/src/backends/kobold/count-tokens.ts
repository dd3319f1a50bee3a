import * as v from 'valibot'
import { BackendError, type GenerationRequest } from '../../contract/backend.ts'
import { mostToolTokens } from '../../contract/prompt.ts'
import type { HttpClient } from '../http/client.ts'
import { connectionError, statusError } from '../http/errors.ts'
import { notAnAnswer, parseReply } from '../http/read-reply.ts'
import { writeBody } from '../http/request-body.ts'
import { renderTurns, type TranscriptTemplate } from '../http/transcript.ts'
import { tokenCountReply } from './wire.ts'

export interface CountOptions {
  readonly name: string
  readonly client: HttpClient
  readonly template: TranscriptTemplate
  readonly wallTimeMs: number
  readonly signal: AbortSignal
}

/**
 * Tokens of the prompt as the chat endpoint would see it. Newer versions put their own tags around the messages and
 * count the result; older ones know only a text, so that the tags are ours: the same ones KoboldCPP uses by default.
 * Tools are estimated: a server that is asked to count them while it generates dies of it (1.115.1). Never waits behind a
 * generation.
 */
export async function countTokens(request: GenerationRequest, options: CountOptions): Promise<number> {
  const tools = mostToolTokens(request.parameters.tools, request.turns)
  const messages = request.turns.map(({ role, content }) => ({ role, content }))
  const rendered = await count({ messages }, options)
  if (rendered.prompt) return rendered.value + tools
  const text = await count({ prompt: renderTurns(request.turns, options.template) }, options)
  return text.value + tools
}

/** The ids of a text's tokens, the one that begins a text included. Undefined: the server does not tell them. */
export async function tokenize(text: string, options: TokenizeOptions): Promise<number[] | undefined> {
  return (await count({ prompt: text }, options)).ids
}

type TokenizeOptions = Omit<CountOptions, 'template'>

async function count(
  body: Record<string, unknown>,
  { client, name, signal, wallTimeMs }: TokenizeOptions,
): Promise<v.InferOutput<typeof tokenCountReply>> {
  const place = { backend: name, endpoint: 'tokencount' }
  const call = {
    method: 'POST',
    path: '/api/extra/tokencount',
    body: writeBody(place, body),
    signal,
  } as const
  const reply = await client
    .send(call)
    .then(async (response) => ({ response, text: await response.text() }))
    .catch((error: unknown) => {
      throw signal.aborted
        ? new BackendError('aborted', 'Counting the tokens was told to stop.', { cause: error })
        : connectionError(place, error, true)
    })
  const { ok, status, headers } = reply.response
  if (!ok) throw statusError(place, { status, headers, text: reply.text, wallTimeMs })
  const value = parseReply(place, reply.text)
  const { success, output } = v.safeParse(tokenCountReply, value)
  if (!success || output.value < 0) throw notAnAnswer(place, value)
  return output
}
