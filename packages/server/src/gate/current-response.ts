import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The response a connection is busy with; undefined between requests and while the headers of one still arrive. Node
 * has no public word for it, and reads this very field in its own handler of client errors.
 */
export function currentResponse(socket: Socket): ServerResponse | undefined {
  const { _httpMessage: response } = socket as Socket & { readonly _httpMessage?: ServerResponse | null }
  return response ?? undefined
}
