import type { ServerResponse } from 'node:http'
import type { ScriptedReply } from './openai-simulator-options.ts'

/** Sends a reply as it stands in a script. */
export function sendScripted(response: ServerResponse, reply: ScriptedReply): void {
  const { status = 200, headers = {}, body, events, ending = 'end' } = reply
  const isText = typeof body === 'string'
  const contentType = events ? 'text/event-stream' : isText ? 'text/plain' : 'application/json'
  response.writeHead(status, { 'content-type': contentType, ...headers })
  if (events) for (const event of events) response.write(frame(event))
  else if (body !== undefined) response.write(isText ? body : JSON.stringify(body))
  if (ending === 'end') response.end()
  else if (ending === 'cut') response.write('', () => response.destroy())
  else response.flushHeaders()
}

/** One server-sent event; a text is sent as it is. */
export const frame = (event: unknown): string =>
  `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`
