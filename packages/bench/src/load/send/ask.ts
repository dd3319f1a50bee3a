import type { Dispatcher } from 'undici'

export interface Line {
  readonly dispatcher: Dispatcher
  readonly url: string
  /** Written into the keys of tickets, so that two runs on one server do not meet. */
  readonly run: string
  /** When a request counts as lost. */
  readonly patienceMs: number
}

export interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

export interface Message {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

/** One request and its JSON. Rejects where the reply is none. */
export async function ask({ dispatcher, url }: Line, message: Message): Promise<Reply> {
  const { method = 'POST', path, headers = {}, body, signal } = message
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const options = { origin: url, path, method, headers: { ...type, ...headers }, signal }
  const reply = await dispatcher.request({ ...options, ...(body !== undefined && { body }) })
  return { status: reply.statusCode, body: (await reply.body.json()) as Record<string, unknown> }
}

/** What it is called in the account: the code of the failure, or `completed`. */
export const codeOf = ({ status, body }: Reply): string =>
  typeof body.error === 'string' ? body.error : status < 300 ? 'completed' : `status ${status}`
