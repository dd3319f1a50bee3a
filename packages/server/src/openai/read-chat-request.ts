import type { ReadCompletion } from './asked-completion.ts'
import { isRecord, type ReadContent, readCompletion } from './read-request.ts'

/** A body of `POST /v1/chat/completions`. Roles, parts and ranges are the dispatcher's to check. */
export const readChatRequest = (body: unknown): ReadCompletion => readCompletion(body, readMessages)

function readMessages({ messages }: Readonly<Record<string, unknown>>): ReadContent {
  if (!Array.isArray(messages) || messages.length === 0) {
    return refuse('`messages` must be a list with at least one message.')
  }
  // An event's list may also hold strings, or the parts of one turn; OpenAI's may not.
  const wrong = messages.findIndex((message) => !isRecord(message) || typeof message.role !== 'string')
  if (wrong !== -1) return refuse(`\`messages[${wrong}]\` must be a message with a role.`)
  return { ok: true, content: { messages } }
}

const refuse = (details: string): ReadContent => ({
  ok: false,
  failure: { code: 'invalid_input_format', details },
})
