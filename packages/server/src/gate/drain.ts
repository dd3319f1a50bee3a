import type { Socket } from 'node:net'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { currentResponse } from './client-error.ts'
import { isOpenPath } from './request-url.ts'

export interface Drain {
  /** True from the call of `server.drain()` or `server.close()` on. */
  readonly active: boolean
}

const SWEEP_INTERVAL_MS = 50

/**
 * Adds `server.drain()`: from then on new requests are answered `shutting_down`, and the listener stays open, so that they
 * hear so and probes see 503 for as long as the owner's drain takes.
 *
 * Lets `server.close()` end as soon as the last answer is out. By itself it waits for clients that keep their
 * connection alive: idle ones are closed once, at the start, and a connection that falls idle later stays until its
 * keep-alive timeout (72 s). While closing, answers say `Connection: close` and idle connections are swept; not before,
 * for Node takes a connection that has just come for idle. Requests that arrive in pieces have `arrivalMs` left: a closing
 * server of Node no longer watches `requestTimeout`.
 */
export function installDrain(server: FastifyInstance, arrivalMs: number): Drain {
  const drain = { active: false }
  const connections = trackConnections(server)
  let sweep: NodeJS.Timeout | undefined
  let arrival: NodeJS.Timeout | undefined

  const begin = () => {
    drain.active = true
  }
  server.decorate('drain', begin)
  server.addHook('preClose', (done) => {
    begin()
    sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    arrival = setTimeout(() => endUnfinishedRequests(connections), arrivalMs)
    done()
  })
  server.addHook('onClose', (_instance, done) => {
    clearInterval(sweep)
    clearTimeout(arrival)
    done()
  })
  const refuseNew: onRequestHookHandler = (request, _reply, done) => {
    if (!drain.active || isOpenPath(request.raw.url ?? '')) return done()
    done(SHUTTING_DOWN)
  }
  server.addHook('onRequest', refuseNew)
  // And again when the body is in: the dispatcher may have closed while it came.
  server.addHook('preHandler', refuseNew)
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (drain.active) reply.header('connection', 'close')
    done()
  })
  return drain
}

const SHUTTING_DOWN = new RequestProblem({
  code: 'shutting_down',
  details: 'The server is closing. Send the event again soon.',
})

function trackConnections(server: FastifyInstance): ReadonlySet<Socket> {
  const connections = new Set<Socket>()
  server.server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return connections
}

function endUnfinishedRequests(connections: ReadonlySet<Socket>): void {
  for (const socket of connections) {
    if (currentResponse(socket)?.req.complete !== true) socket.destroy()
  }
}
