import type { ServerResponse } from 'node:http'

/** Why an event was cancelled when its caller went away. */
export class CallerGone extends Error {
  override readonly name = 'CallerGone'

  constructor() {
    super('The caller closed the connection before the answer was sent.')
  }
}

/**
 * A signal that aborts when the response closes before it ended: the caller hung up. Fastify's `request.signal` will
 * not do, it follows the request, which closes as soon as its body is read (fastify pull request 6725).
 */
export function callerSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  const onClose = () => {
    if (!response.writableEnded) controller.abort(new CallerGone())
  }
  if (response.destroyed) onClose()
  else response.once('close', onClose)
  return controller.signal
}
