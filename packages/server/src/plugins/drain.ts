import type { FastifyInstance } from 'fastify'
import { isOpenPath } from '../open-paths.ts'
import { RequestProblem } from '../request-problem.ts'

export interface Drain {
  /** True from the call of `server.close()` on. */
  readonly active: boolean
}

const SWEEP_INTERVAL_MS = 50

/**
 * Lets `server.close()` end as soon as the last answer is out. By itself it waits for clients that keep their
 * connection alive: idle ones are closed once, at the start, and a connection that falls idle later stays until its
 * keep-alive timeout (72 s). While closing, answers say `Connection: close`, idle connections are swept, and new
 * requests on connections still open are answered `shutting_down`.
 */
export function installDrain(server: FastifyInstance): Drain {
  const drain = { active: false }
  let sweep: NodeJS.Timeout | undefined

  server.addHook('preClose', (done) => {
    drain.active = true
    sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    done()
  })
  server.addHook('onClose', (_instance, done) => {
    clearInterval(sweep)
    done()
  })
  server.addHook('onRequest', (request, _reply, done) => {
    if (!drain.active || isOpenPath(request.raw.url ?? '')) return done()
    done(
      new RequestProblem({
        code: 'shutting_down',
        details: 'The server is closing. Send the event again soon.',
      }),
    )
  })
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (drain.active) reply.header('connection', 'close')
    done()
  })
  return drain
}
