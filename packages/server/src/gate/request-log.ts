import type { Logger } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { isOpenPath, pathOf } from './open-paths.ts'

const MAX_PATH_LENGTH = 256
const HUNG_UP = 499

/**
 * One line per request, when its response has closed: Fastify's own `onResponse` never comes for a caller that hung up.
 * The query is left out, it may hold anything. Probes are lines at debug, failures of the server at warn.
 */
export function installRequestLog(server: FastifyInstance, logger: Logger): void {
  server.addHook('onRequest', (request, reply, done) => {
    const startedAt = performance.now()
    reply.raw.once('close', () => {
      const url = request.raw.url ?? ''
      const status = reply.raw.writableEnded ? reply.raw.statusCode : HUNG_UP
      const level = levelOf(url, status)
      if (logger.isEnabled?.(level) === false) return
      logger[level]('request', {
        request_id: request.id,
        method: request.method,
        path: pathOf(url).slice(0, MAX_PATH_LENGTH),
        status,
        duration_ms: Math.round(performance.now() - startedAt),
      })
    })
    done()
  })
}

function levelOf(url: string, status: number): 'debug' | 'info' | 'warn' {
  if (status >= 500) return 'warn'
  return isOpenPath(url) ? 'debug' : 'info'
}
