import type { KeyReport } from '@ai-ticket/http-server'
import type { FastifyInstance } from 'fastify'
import type { KeyBody, KeyListBody } from '../bodies/keys.ts'
import { describedAs, OPERATE } from './described-as.ts'

/** `GET /keys`: who may ask, without the keys. A server that `createServer` did not make has none to show. */
export function addKeysRoute(instance: FastifyInstance): void {
  instance.get('/keys', { config: describedAs('getKeys', OPERATE) }, (_request, reply) => {
    const reports = instance.hasDecorator('keyReports') ? instance.keyReports() : []
    const body: KeyListBody = { object: 'list', data: reports.map(keyBody) }
    reply.header('cache-control', 'no-store')
    return reply.send(body)
  })
}

function keyBody({ name, scopes, rateLimit, left, lastSeenAt, priority, maxPriority }: KeyReport): KeyBody {
  return {
    name,
    scopes: [...scopes],
    rate_limit: rateLimit === false ? null : limitBody(rateLimit),
    ...(left === undefined ? {} : { left }),
    ...(lastSeenAt === undefined ? {} : { last_seen_at: new Date(lastSeenAt).toISOString() }),
    ...(priority === undefined ? {} : { priority }),
    ...(maxPriority === undefined ? {} : { max_priority: maxPriority }),
  }
}

const limitBody = ({ requests, windowMs, burst = requests }: Exclude<KeyReport['rateLimit'], false>) => ({
  requests,
  window_ms: windowMs,
  burst,
})
